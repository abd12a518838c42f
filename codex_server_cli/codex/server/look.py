"""Facts about a generation, observed from outside: its clients, and what its turns left running. For people."""

from __future__ import annotations

from pathlib import Path

from codex_server_cli.codex.server.mark import is_of_another
from codex_server_cli.codex.server.process import children_of
from codex_server_cli.codex.server.state import Generation
from codex_server_cli.core.model.server.report import LeftProcess

_OUR_OWN = "codex_server_cli.codex.server"
_MOST_CHARS = 200


def count_clients(generation: Generation) -> int | None:
    """How many clients hold a lease, from the kernel's list; None where there is none (macOS)."""
    try:
        inode = str(Path(generation.clients_path).stat().st_ino)
        listing = Path("/proc/locks").read_text(encoding="ascii")
    except OSError:
        return None
    rows = [line.split() for line in listing.splitlines()]  # 1: FLOCK  ADVISORY  READ 1234 08:01:5678 0 EOF
    held = [row for row in rows if row[1:4] == ["FLOCK", "ADVISORY", "READ"] and row[5].rpartition(":")[2] == inode]
    return len(held)


def leftovers_of(generation: Generation) -> tuple[LeftProcess, ...]:
    """The orphans of its turns, which have become children of its keeper."""
    found = []
    for pid in children_of(generation.keeper_pid) if generation.is_kept() else ():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        except OSError:  # gone meanwhile
            continue
        command = b" ".join(words).decode("utf-8", "replace")
        if (
            pid != generation.pid
            and command
            and _OUR_OWN not in command
            and not is_of_another(pid, generation.directory)
        ):
            found.append(LeftProcess(pid, command[:_MOST_CHARS]))
    return tuple(found)
