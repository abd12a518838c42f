"""The text of one turn as a page that grows: Markdown rendered as `tail` does it, folded to the width of the screen.

Owns that only what is new is rendered. It imports rich, so it must be imported only once a text is opened.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.text import Text

from codex_server_cli.actions.read import follow
from codex_server_cli.actions.read.turn_text import GrowingEvents
from codex_server_cli.cli.terminal.markdown import Painter
from codex_server_cli.core.result.commands import of_turn
from codex_server_cli.render.chat_blocks import Block
from codex_server_cli.render.escape import neutralise
from codex_server_cli.render.style.cells import broken, cells, folded
from codex_server_cli.render.turns.cockpit.sheets import Sheet
from codex_server_cli.render.turns.told import ToldBlocks

_BLOCKS = 400
"""So many of the last blocks are shown, twice as many at the most: a resize renders them all again."""
_TAB = 4
_SGR = re.compile(r"\x1b\[[\d;]*m")


class TextSheet(Sheet):
    """The text of a turn. Used by one thread at a time.

    Args:
        directory: of the turn.
        make_first: the rows above the text; see `Sheet`.
    """

    def __init__(self, directory: Any, make_first: Callable[[int], list[str]]) -> None:
        super().__init__(make_first)
        self._directory = directory
        self._events = GrowingEvents(directory)
        self._told = ToldBlocks(directory.turn_id)
        self._blocks: list[Block] = []
        self._shown = 0  # blocks that are rendered
        self._is_over = self._is_cut = False
        self._console = Console(highlight=False, markup=False, emoji=False)
        self._painter = Painter(self._console)

    def read(self, *, is_over: bool) -> None:
        """Read what has come since.

        Args:
            is_over: whether the turn had ended before this call: then nothing more comes.
        """
        if self._is_over:
            return
        self._blocks += [block for event in self._events.read_more() for block in self._told.feed(event)]
        if is_over:
            self._is_over = True
            self._blocks += [*self._told.end(), *self._told.rest(follow.whole_text(self._directory))]
        if len(self._blocks) > 2 * _BLOCKS:
            del self._blocks[:-_BLOCKS]
            self._is_cut, self._width = True, -1

    def close(self) -> None:
        """Close its file."""
        self._events.close()

    def rows(self, width: int) -> list[str]:
        """All rows: those above, the blocks that are complete, and plain what still grows."""
        if width != self._width:
            self._shown = 0
        rows = super().rows(width)
        if self._is_cut and not self._shown:
            rows += broken(f"… earlier: {of_turn('tail', self._directory.turn_id)}", width)
        for block in self._blocks[self._shown :]:
            painted = self._painter.paint([block], width).rstrip("\n")
            rows += self._folded(painted if rows and rows[-1] else painted.lstrip("\n"), width)
        self._shown = len(self._blocks)
        live = neutralise(self._told.live_text).strip("\n")
        grows = [row for line in live.split("\n") for row in broken(line.expandtabs(_TAB), width)] if live else []
        return [*rows, *([""] if grows and rows and rows[-1] else []), *grows]

    def _folded(self, painted: str, width: int) -> list[str]:
        return [row for line in painted.split("\n") for row in self._fold(line.expandtabs(_TAB), width)]

    def _fold(self, line: str, width: int) -> list[str]:
        """A line with colours in rows: code is not wrapped by its renderer."""
        if cells(_SGR.sub("", line)) <= width:
            return [line]
        text, ends, end = Text.from_ansi(line), [], 0
        for piece in folded(text.plain, width):
            end += len(piece)
            ends.append(end)
        rows = []
        for row in text.divide(ends[:-1]):
            with self._console.capture() as captured:
                self._console.print(row, end="", soft_wrap=True)
            rows.append(captured.get())
        return rows
