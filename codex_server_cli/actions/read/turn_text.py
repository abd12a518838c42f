"""The events of a turn for a page that shows its text as it grows, read when the page is drawn.

Unlike `follow`, it never waits. Must never print.
"""

from __future__ import annotations

from codex_server_cli.core.protocol.event_log import read_events
from codex_server_cli.core.protocol.jsonl import LineDecoder
from codex_server_cli.core.protocol.rpc import Message
from codex_server_cli.disk.turn.follow import GrowingFile
from codex_server_cli.disk.turn.layout import TurnDir


class GrowingEvents:
    """The events of one turn, from the first on."""

    def __init__(self, directory: TurnDir) -> None:
        self._file = GrowingFile(directory.events)
        self._decoder = LineDecoder()

    def read_more(self) -> list[Message]:
        """Those that have come since the last call."""
        return list(read_events(self._decoder.feed(self._file.read_more())))

    def close(self) -> None:
        """Close the file."""
        self._file.__exit__(None, None, None)
