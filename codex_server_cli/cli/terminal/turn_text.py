"""A turn's text for a terminal: Markdown rendered, in colour, wrapped; the same blocks as in a chat.

Complete blocks are printed; the growing block is shown below them if the terminal can redraw, and else when it is
complete. Must never be imported for a pipe, which gets the files' bytes: it imports rich.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from shutil import get_terminal_size
from typing import Any

from rich.console import Console

from codex_server_cli.actions.read import follow, read
from codex_server_cli.actions.read.for_people import shortened
from codex_server_cli.cli import output
from codex_server_cli.cli.terminal.markdown import Painter
from codex_server_cli.cli.terminal.spinner import Spinner
from codex_server_cli.core.model.turn import State
from codex_server_cli.render.chat_blocks import Block, end_block
from codex_server_cli.render.turns.told import ToldBlocks, answer_blocks
from codex_server_cli.settings.places import Settings


class _Printer:
    """Paints blocks at the terminal's current width, one below the other.

    Args:
        is_below: whether one of our lines is above: then there is a blank line before the first block, too.
    """

    def __init__(self, *, is_below: bool = False) -> None:
        self._painter = Painter(Console(highlight=False, markup=False, emoji=False))
        self._is_first = not is_below

    def paint(self, blocks: Iterable[Block], width: int | None = None) -> str:
        """The blocks as safe text, with a blank line before each except the first.

        Args:
            width: in cells; by default the terminal's.
        """
        return "".join(self.painted(blocks, width))

    def painted(self, blocks: Iterable[Block], width: int | None = None) -> Iterator[str]:
        """The same block by block, so that a long text appears while it is laid out."""
        for block in blocks:
            text = self._painter.paint([block], width or get_terminal_size().columns)
            yield text.removeprefix("\n") if self._is_first else text
            self._is_first = False


def markdown_rows(text: str, width: int) -> list[str]:
    """A whole text of Codex laid out for a width in cells, as safe lines."""
    return _Printer().paint(answer_blocks(text), width).rstrip("\n").split("\n")


def show_answer(text: str) -> None:
    """Print a final answer."""
    _show_all(_Printer().painted(answer_blocks(text)))


def _show_all(painted: Iterable[str], show: Callable[[str], None] = output.show_styled) -> None:
    for text in painted:
        show(text)


def show_turn(directory: Any, *, last_lines: int | None = None, is_end_told: bool = False) -> None:
    """Print a turn's text so far.

    Args:
        last_lines: only so many of the last lines of its text.
        is_end_told: whether the caller reports why it failed.
    """
    view = read.readable(directory)  # before its events: the other order can miss the last ones (law 2)
    blocks, printer = _blocks(directory, last_lines, is_end_told=is_end_told), _Printer()
    for events in follow.messages(directory):
        _show_all(printer.painted(block for event in events for block in blocks.feed(event)))
    _show_all(printer.painted(blocks.end()))
    if view.state is not State.RUNNING:
        _show_all(printer.painted(blocks.rest(follow.whole_text(directory))))


def follow_turn(directory: Any, *, last_lines: int | None = None, is_below: bool = False) -> None:
    """Show a turn to its end, and how it ended if it is complete: the caller reports a failure.

    Args:
        last_lines: show only so many of its last lines.
        is_below: whether one of our lines is above.
    """
    read.readable(directory)
    blocks, printer = _blocks(directory, last_lines, is_end_told=True), _Printer(is_below=is_below)
    if not output.can_redraw():
        _follow(directory, blocks, printer, output.show_styled, lambda _text: None, lambda: "\n")
        return
    turn_id = directory.turn_id
    short_id = shortened(Settings.load(), [turn_id])[turn_id]  # a command with it fits on a narrow terminal
    with Spinner(lambda: read.status(directory)._replace(turn_id=short_id), output.show_styled) as spinner:
        _follow(directory, blocks, printer, spinner.show, spinner.grow, lambda: "" if spinner.hides_keys else "\n")


def _blocks(directory: Any, last_lines: int | None, *, is_end_told: bool) -> ToldBlocks:
    skipped = 0 if last_lines is None else follow.chars_before(directory, last_lines)
    return ToldBlocks(directory.turn_id, skipped, is_end_told=is_end_told)


def _follow(
    directory: Any,
    blocks: ToldBlocks,
    printer: _Printer,
    show: Callable[[str], None],
    grow: Callable[[str], None],
    after_key: Callable[[], str],
) -> None:
    """Show complete blocks, and the growing text.

    Args:
        after_key: returns the separator after a Ctrl-C: a line end if the terminal echoes `^C`.
    """
    try:
        for events in follow.messages(directory, follows=True):
            _show_all(printer.painted(block for event in events for block in blocks.feed(event)), show)
            grow(blocks.live_text)
    except KeyboardInterrupt:
        show(after_key() + printer.paint(blocks.end()))  # what was shown remains
        raise
    view = read.status(directory)
    ends = [end_block(view)] if view.state is State.COMPLETE else []
    _show_all(printer.painted([*blocks.end(), *blocks.rest(follow.whole_text(directory)), *ends]), show)
