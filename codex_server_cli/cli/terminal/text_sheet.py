"""The text of one turn as a growing page: Markdown rendered as in `tail`, folded to the width of the screen.

Owns that only new text is rendered, and that a new layout is fast enough for a key press. It imports rich, so it must
be imported only when a text is opened.
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

_BLOCKS, _CHARS = 100, 40_000
"""At least so many of the last blocks or characters are shown, and at most twice as many: a resize renders all of them
again, which takes 1 ms per block and up to 10 µs per character of code."""
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
        self._shown = self._chars = 0  # blocks that are rendered; characters of all
        self._is_over = self._is_cut = False
        self._console = Console(highlight=False, markup=False, emoji=False)
        self._painter = Painter(self._console)

    def read(self, *, is_over: bool) -> None:
        """Read new events.

        Args:
            is_over: whether the turn had ended before this call, so that nothing more comes.
        """
        if self._is_over:
            return
        for event in self._events.read_more():
            self._add(self._told.feed(event))
        if is_over:
            self._is_over = True
            self._add([*self._told.end(), *self._told.rest(follow.whole_text(self._directory))])

    def _add(self, blocks: list[Block]) -> None:
        """Add blocks; keeps only the last ones if there are too many."""
        self._blocks += blocks
        self._chars += sum(len(block.text) for block in blocks)
        if len(self._blocks) <= 2 * _BLOCKS and self._chars <= 2 * _CHARS:
            return
        self._chars, number = 0, 0
        for number, block in enumerate(reversed(self._blocks), 1):
            self._chars += min(len(block.text), _CHARS)
            if number == _BLOCKS or self._chars >= _CHARS:
                break
        self._is_cut = self._is_cut or number < len(self._blocks)
        self._blocks, self._width = self._blocks[-number:], -1

    def close(self) -> None:
        """Close its file."""
        self._events.close()

    def rows(self, width: int) -> list[str]:
        """All rows: those above the text, the complete blocks, and the growing text without layout."""
        if width != self._width:
            self._shown = 0
        rows = super().rows(width)
        if self._is_cut and not self._shown:
            rows += self._earlier(width)
        for block in self._blocks[self._shown :]:
            added = self._rows_of(block, width)
            rows += added if added[0] or (rows and rows[-1]) else added[1:]
        self._shown = len(self._blocks)
        live = neutralise(self._told.live_text).strip("\n")
        grows = [row for line in live.split("\n") for row in broken(line.expandtabs(_TAB), width)] if live else []
        return [*rows, *([""] if grows and rows and rows[-1] else []), *grows]

    def _earlier(self, width: int) -> list[str]:
        """The rows in place of omitted text."""
        return broken(f"… earlier: {of_turn('tail', self._directory.turn_id)}", width)

    def _rows_of(self, block: Block, width: int) -> list[str]:
        """The rows of a block, with its blank line if any; of a block that is too long only its end, without layout."""
        if len(block.text) > _CHARS:
            lines = neutralise(block.text[-_CHARS:]).split("\n")
            rows = [row for line in lines for row in broken(line.expandtabs(_TAB), width)]
            return ["", *self._earlier(width), *rows]
        painted = self._painter.paint([block], width).rstrip("\n")
        return [row for line in painted.split("\n") for row in self._fold(line.expandtabs(_TAB), width)]

    def _fold(self, line: str, width: int) -> list[str]:
        """A coloured line folded into rows: the renderer does not wrap code."""
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
