"""The text of a turn for a page that shows it as it grows, in pieces that are read when the page is drawn.

Unlike `follow`, it never waits. Must never print.
"""

from __future__ import annotations

import codecs

from codex_server_cli.disk.turn.follow import GrowingFile
from codex_server_cli.disk.turn.layout import TurnDir

_LINES = 5000
"""Of an output that is longer, only so many last lines are shown."""


class TurnText:
    """The text of one turn, from its last 5,000 lines on."""

    def __init__(self, directory: TurnDir) -> None:
        self._file = GrowingFile(directory.out, _LINES)
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def read_more(self) -> str:
        """What is there beyond what was read before; "" where that is nothing."""
        return self._decode(self._file.read_more())

    def close(self) -> None:
        """Close its file."""
        self._file.__exit__(None, None, None)
