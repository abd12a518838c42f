"""The events of a turn for a page that shows its text as it grows, read when the page is drawn.

Unlike `follow`, it never waits. Must never print.
"""

from __future__ import annotations

from collections.abc import Iterator

from codex_server_cli.core.protocol.event_log import read_events
from codex_server_cli.core.protocol.jsonl import LineDecoder
from codex_server_cli.core.protocol.rpc import Message
from codex_server_cli.disk.turn.follow import GrowingFile
from codex_server_cli.disk.turn.layout import TurnDir

_PIECE_BYTES = 1024 * 1024


class GrowingEvents:
    """The events of one turn, from the first on."""

    def __init__(self, directory: TurnDir) -> None:
        self._file = GrowingFile(directory.events)
        self._decoder = LineDecoder()

    def read_more(self) -> Iterator[Message]:
        """The events since the last call; only one piece of a log of any size is in memory."""
        while data := self._file.read_more(_PIECE_BYTES):
            yield from read_events(self._decoder.feed(data))

    def close(self) -> None:
        """Close the file."""
        self._file.__exit__(None, None, None)
