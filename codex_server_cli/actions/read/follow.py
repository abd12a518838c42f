"""Following a turn to its end, as text or as events. Owns the order of law 2: lock, marker, then the rest.

The opposite order can miss what a worker writes between the last read and its end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from codex_server_cli.actions.read.read import READER, readable, refuse_unless_readable
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.protocol.event_log import read_events
from codex_server_cli.core.protocol.jsonl import LineDecoder
from codex_server_cli.core.protocol.rpc import Message
from codex_server_cli.disk.turn.follow import GrowingFile, beginning_of_last, wakeups
from codex_server_cli.disk.turn.layout import TurnDir

PROBE_INTERVAL_S = 1.0


def text(directory: TurnDir, *, last_lines: int | None = None, follows: bool = False) -> Iterator[bytes]:
    """The pieces of `out.txt`: its content, and with `follows` what is appended until the end of the turn."""
    return _pieces(directory, directory.out, last_lines, follows=follows)


def events(directory: TurnDir, *, last_lines: int | None = None, follows: bool = False) -> Iterator[bytes]:
    """The complete lines of `events.jsonl`, without their newline."""
    decoder = LineDecoder()
    for piece in _pieces(directory, directory.events, last_lines, follows=follows):
        yield from decoder.feed(piece)


def messages(directory: TurnDir, *, follows: bool = False) -> Iterator[list[Message]]:
    """The events of `events.jsonl`, decoded, in batches of what was written since the last one."""
    decoder = LineDecoder()
    for piece in _pieces(directory, directory.events, None, follows=follows):
        yield list(read_events(decoder.feed(piece)))


def whole_text(directory: TurnDir) -> str:
    """The present content of `out.txt`."""
    return b"".join(text(directory)).decode("utf-8", "replace")


def chars_before(directory: TurnDir, last_lines: int) -> int:
    """How many characters of `out.txt` come before its present last lines."""
    data = b"".join(text(directory))
    return len(data[: beginning_of_last(data, last_lines)].decode("utf-8", "replace"))


def _pieces(directory: TurnDir, path: Path, last_lines: int | None, *, follows: bool) -> Iterator[bytes]:
    readable(directory)
    refuse_unless_readable(directory, path)
    with GrowingFile(path, last_lines) as file:
        if not follows:
            yield file.read_more()
            return
        has_ended = _end_probe(directory)
        for _ in wakeups(directory.path):
            is_over = has_ended()
            data = file.read_more()
            if data:
                yield data
            if is_over:
                return


def _end_probe(directory: TurnDir) -> Callable[[], bool]:
    """A cheap check whether the turn is over: the marker is checked at each call, the lock once a second."""
    probed_at = 0.0

    def has_ended() -> bool:
        nonlocal probed_at
        now = time.monotonic()
        if directory.marker is None and now - probed_at < PROBE_INTERVAL_S:
            return False
        probed_at = now
        return READER.state(directory) is not State.RUNNING

    return has_ended
