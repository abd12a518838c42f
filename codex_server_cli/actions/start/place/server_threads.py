"""The thread to continue, where a server is named: it may have other threads than this machine's CODEX_HOME.

Imported only then. Asks no server: resuming the thread shows whether the server has it.
"""

from __future__ import annotations

import os
import re
from typing import Any, NamedTuple

from codex_server_cli.actions.start.checks import check_cwd
from codex_server_cli.actions.start.options import GivenServer, ThreadChoice
from codex_server_cli.actions.start.place.server import address_of, is_of_server, remote_dir
from codex_server_cli.core.model.server import record as records
from codex_server_cli.core.model.server.address import ServerAddress
from codex_server_cli.disk.codex_sessions import find_threads
from codex_server_cli.disk.turn import lookup
from codex_server_cli.errors import BadInputError, ErrorKind
from codex_server_cli.settings.places import Settings

_WHOLE_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class ServerPlace(NamedTuple):
    """Where `--last` looks.

    Attributes:
        here: the directory: a real path, or one on the server's host.
        address: of the named server.
        is_given: whether a flag names it, not `config.json`: then only turns on that server count.
    """

    here: str
    address: ServerAddress
    is_given: bool

    def has(self, settings: Settings, meta: dict[str, Any]) -> bool:
        """Whether a turn belongs to this directory and server."""
        if not self.address.is_here:
            return is_of_server(meta, self.address, settings) and meta.get("cwd") == self.here
        if records.is_elsewhere(meta.get("server")) or not lookup.is_of(meta, self.here):
            return False
        if not self.is_given:
            return True
        if not self.address.is_foreign:  # a turn's own app-server and our shared one have the same threads
            return not records.is_foreign(meta.get("server"))
        return is_of_server(meta, self.address, settings)

    def refuse_none(self) -> None:
        """Raise where only the server could know a thread that none of our turns used.

        Raises:
            BadInputError: see above.
        """
        if self.address.is_foreign:
            hint = "Start one there with `codex-server new`, or name one: --thread ID --cwd DIR"
            message = f"no earlier turn in {self.here} on {self.address.url}"
            raise BadInputError(message, hint=hint, kind=ErrorKind.THREAD_MISSING)


def place_of(settings: Settings, cwd: str | None, given: GivenServer | None) -> ServerPlace:
    """The place that `--last` means.

    Raises:
        UsageError: the directory is on another host, and was not given.
        CodexServerError: as `address_of` and `check_cwd`.
    """
    address = address_of(settings, given)
    here = os.path.realpath(check_cwd(cwd)) if address.is_here else remote_dir(cwd)
    return ServerPlace(here, address, given is not None and given.url is not None)


def choose_there(settings: Settings, thread: str, given: GivenServer | None) -> ThreadChoice | None:
    """The thread of this id on a foreign server; None where this CODEX_HOME is to be searched.

    Its directory is that of our last turn on it, or of its session file.

    Raises:
        BadInputError: a name or part of an id, which only the server's host could look up.
    """
    address, thread_id = address_of(settings, given), thread.lower()
    if not address.is_foreign:
        return None
    if not _WHOLE_ID.fullmatch(thread_id):
        if address.is_here:
            return None
        hint = f"Give the whole id: names are not looked up at {address.url}."
        raise BadInputError(f"not the whole id of a thread: {thread!r}", hint=hint)
    for _, meta in lookup.iter_meta(settings.turns_path):
        if meta.get("thread_id") == thread_id and is_of_server(meta, address, settings):
            return ThreadChoice(thread_id, meta.get("cwd"), model=meta.get("model"))
    found = find_threads(settings.codex_home, thread_id, limit=1) if address.is_here else []
    return ThreadChoice(thread_id, found[0].cwd if found else None)
