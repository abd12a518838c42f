"""The directory of one shared server, `$CODEX_SERVER_HOME/servers/<key>/`: its files, and their content.

    lock            locked (flock) by the keeper of the current generation while it runs; has the last number used
    server.json     the current generation, written by its keeper; exists only while it accepts turns
    draining-N.json the same for a generation that runs its last turns
    gN.sock         the socket of generation N (codex makes it a link)
    gN.clients      locked shared by each client: where it can be locked exclusively, the generation has none
    gN.told         not empty once the app-server was told to drain
    server.log      codex's stderr, and the keeper's own lines

Owns names and reading; the writer is `keeper`.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

from codex_server_cli.codex.server.process import boot_id, start_ticks

CURRENT = "server.json"
_LEASE_S = 2.0
_POLL_S = 0.002


class Generation(NamedTuple):
    """One app-server process of a shared server.

    Attributes:
        key: the name of the server's key, and of its directory.
        directory: that directory.
        number: counted from 1.
        socket_path: where it listens; empty for a TCP port.
        url: where it listens.
        pid, start_ticks: its process. `keeper_pid`, `keeper_start_ticks`: its keeper's.
        boot_id: the boot in which both were started.
        codex_version: from `codex --version`; empty where that failed.
        started_at: RFC 3339.
        login, binary: what it was started with, to be compared: see `key`.
        codex_home, codex: the same.
    """

    key: str
    directory: str
    number: int
    socket_path: str
    url: str
    pid: int
    start_ticks: int
    keeper_pid: int
    keeper_start_ticks: int
    boot_id: str
    codex_version: str
    started_at: str
    login: str
    binary: str
    codex_home: str
    codex: str

    def is_alive(self) -> bool:
        """Whether its app-server runs."""
        return self.boot_id == boot_id() and start_ticks(self.pid) == self.start_ticks

    def is_kept(self) -> bool:
        """Whether its keeper runs."""
        return self.boot_id == boot_id() and start_ticks(self.keeper_pid) == self.keeper_start_ticks

    @property
    def clients_path(self) -> str:
        """The file that each client locks."""
        return f"{self.directory}/g{self.number}.clients"

    @property
    def draining_path(self) -> str:
        """Its record, once it drains."""
        return f"{self.directory}/draining-{self.number}.json"

    @property
    def told_path(self) -> str:
        """The file that says whether its app-server was told to drain."""
        return f"{self.directory}/g{self.number}.told"


class Lease:
    """A client's lease on a generation: meanwhile it is not stopped as idle, and its orphans are not ended.

    Take it before connecting, and keep it until the turn's last process has ended.
    """

    def __init__(self, generation: Generation) -> None:
        """Take it. If the generation has ended there is no lease; connecting will report that.

        Raises:
            OSError: the file cannot be opened.
        """
        self._fd: int | None = None
        try:
            self._fd = os.open(generation.clients_path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return
        deadline = time.monotonic() + _LEASE_S
        while True:  # the keeper locks it exclusively only for moments, unless it was stopped (SIGSTOP)
            try:
                fcntl.flock(self._fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    return
                time.sleep(_POLL_S)
            else:
                return

    def release(self) -> None:
        """Release it; idempotent."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def directory_of(home: Path, key_name: str) -> str:
    """The directory of a server."""
    return f"{home}/servers/{key_name}"


def read_generation(path: str) -> Generation | None:
    """The generation in one of its JSON files; None where the file is missing or has other content."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 — read before each turn
            found: dict[str, Any] = json.loads(file.read())
        directory = os.path.dirname(path)  # noqa: PTH120
        facts = {name: found[name] for name in _STORED}
        path = "" if facts["url"] else f"{directory}/g{facts['number']}.sock"
        facts["url"] = facts["url"] or f"unix://{path}"
        generation = Generation(key=directory.rpartition("/")[2], directory=directory, socket_path=path, **facts)
        numbers = (generation.number, generation.pid, generation.start_ticks, generation.keeper_pid)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return generation if all(isinstance(each, int) and each > 0 for each in numbers) else None


def generations_of(home: Path) -> list[Generation]:
    """Every recorded generation of every server in a home, dead ones included."""
    return [each for path in sorted((home / "servers").glob("*")) for each in generations_in(str(path))]


def generations_in(directory: str) -> list[Generation]:
    """Every recorded generation in a directory, newest first, dead ones included."""
    try:
        names = os.listdir(directory)  # noqa: PTH208
    except OSError:
        return []
    wanted = [name for name in names if name == CURRENT or (name.startswith("draining-") and name.endswith(".json"))]
    found = [read_generation(f"{directory}/{name}") for name in wanted]
    return sorted((each for each in found if each is not None), key=lambda each: -each.number)


_STORED = tuple(name for name in Generation._fields if name not in ("key", "directory", "socket_path"))
