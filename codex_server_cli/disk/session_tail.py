"""The lines of a turn in its thread's session file. Owns finding them from the file's end; must never write.

A turn's lines follow its `task_started` line; no other turn writes to the thread meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from codex_server_cli.disk.files import read_end

_BLOCKS = (256 * 1024, 2 * 1024 * 1024, 16 * 1024 * 1024)
START, _CALL = b'"task_started"', b"_call"


def calls_of_turn(path: Path, codex_turn_id: str) -> list[bytes]:
    """The lines of the turn that may be tool calls or their outputs, oldest first.

    Empty where the file cannot be read, or the turn takes more than its last 16 MB.
    """
    for lines in ends_of(path):
        for number in range(len(lines) - 1, -1, -1):
            if START in lines[number] and codex_turn_id.encode() in lines[number]:
                return [line for line in lines[number + 1 :] if _CALL in line]
    return []


def ends_of(path: Path) -> Iterator[list[bytes]]:
    """The lines at the end of a file, more with each iteration; the first line may lack its beginning."""
    for size in _BLOCKS:
        try:
            data, is_whole = read_end(path, size)
        except ValueError:  # Codex named something that cannot be a path
            return
        yield data.split(b"\n")
        if is_whole:
            return
