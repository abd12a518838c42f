"""Showing a turn while it runs, and waiting for its end. Owns what `tail`, `wait`, `new -f` and `new --wait` share."""

from __future__ import annotations

import codecs
import contextlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from codex_server_cli.actions.read import follow, read
from codex_server_cli.cli import output
from codex_server_cli.core.model.turn import EXIT_OF_STATE
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.result.commands import wait_command
from codex_server_cli.core.result.excerpt import beginning_of
from codex_server_cli.errors import Exit
from codex_server_cli.render.notes import end_note
from codex_server_cli.settings.places import Settings


@contextlib.contextmanager
def leaving_running(*turn_ids: str, options: str = "") -> Iterator[None]:
    """Ctrl-C ends this command, not the turns: print that, and the command that resumes.

    Args:
        options: of the `wait` for several turns; they begin with a space.
    """
    try:
        yield
    except KeyboardInterrupt:
        one, several = f"codex-server tail {turn_ids[0]} --follow", wait_command(" ".join(turn_ids), options)
        output.note(f"\nThe turn goes on: {one}" if len(turn_ids) == 1 else f"\nThe turns go on: {several}")
        raise


def follow_text(settings: Settings, selector: str, *, is_raw: bool = False) -> Exit:
    """Show a turn's text to its end.

    Returns:
        The turn's own exit code.
    """
    directory = read.find(settings, selector)
    with leaving_running(directory.turn_id):
        show_text(directory, follows=True, is_raw=is_raw, is_below=True)
    return report_end(read.status(directory))


def show_text(
    directory: Any,
    last_lines: int | None = None,
    *,
    follows: bool = False,
    is_raw: bool = False,
    is_end_told: bool = False,
    is_below: bool = False,
) -> None:
    """Show a turn's text so far, and with `follows` to its end: rendered on a terminal, raw in a pipe.

    Args:
        last_lines: show only so many of its last lines.
        is_raw: as in `out.txt`, also on a terminal.
        is_end_told: whether the caller reports why the turn failed.
        is_below: whether one of our lines is above.
    """
    if output.is_terminal() and not is_raw:
        from codex_server_cli.cli.terminal import turn_text  # rich: only for a terminal

        if follows:
            turn_text.follow_turn(directory, last_lines=last_lines, is_below=is_below)
        else:
            turn_text.show_turn(directory, last_lines=last_lines, is_end_told=is_end_told)
        return
    pieces = follow.text(directory, last_lines=last_lines, follows=follows)
    if follows:
        show_growing(pieces, partial(read.status, directory))
    else:
        show_pieces(pieces)


def show_answer(view: TurnView, max_chars: int | None = None, *, is_raw: bool = False) -> None:
    """Show the answer of an ended turn, rendered on a terminal, raw in a pipe; nothing if there is none.

    Args:
        max_chars: only so many of its first characters, and then where the rest is.
        is_raw: as the model wrote it, also on a terminal.
    """
    text = view.answer
    if not text:
        return
    shown = text if max_chars is None else beginning_of(text, max_chars)
    if output.is_terminal() and not is_raw:
        from codex_server_cli.cli.terminal import turn_text

        turn_text.show_answer(shown)
    else:
        output.show(shown if shown.endswith("\n") else shown + "\n")
    if len(shown) < len(text.rstrip("\n")):
        left = f"{len(text) - len(shown):,} of {len(text):,} characters left out"
        output.say(f"[{left}; the whole answer: {view.path}/answer.txt]\n")


def wait_for_end(
    settings: Settings, selector: str, *, timeout_s: float | None = None, cwd: str | None = None
) -> TurnView:
    """Sleep until a turn has ended, or the timeout."""
    directory = read.find(settings, selector, cwd)
    with leaving_running(directory.turn_id):
        return read.wait(directory, timeout_s)


def wait_for_end_or_request(settings: Settings, selector: str) -> TurnView:
    """The same, with a note on stderr once the turn waits for an approval or an answer."""
    from codex_server_cli.actions.read import wait  # 2 ms that a turn without approvals does not need

    directory = read.find(settings, selector)
    with leaving_running(directory.turn_id):
        ((_, asked),) = wait.wait([directory], is_any=False)
        if asked:
            output.note(f"It waits for your answer: codex-server pending {directory.turn_id}")
        return read.wait(directory)


def show_growing(pieces: Iterable[bytes], read_view: Callable[[], TurnView]) -> None:
    """Show a turn's text to its end; on a terminal with a spinner while there is no output.

    Args:
        pieces: the text.
        read_view: reads the turn's current state; called from another thread.
    """
    if not output.can_redraw():
        show_pieces(pieces)
        return
    from codex_server_cli.cli.terminal.spinner import Spinner

    with Spinner(read_view) as spinner:
        show_pieces(pieces, spinner.show)


def show_pieces(pieces: Iterable[bytes], show: Callable[[str], None] = output.show) -> None:
    """Show text as it arrives; a character that is split between two pieces is shown when it is complete.

    On a terminal an unfinished last line is ended, so that our next message begins on a new line.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = ""
    for piece in pieces:
        text = decoder.decode(piece) or text
        show(text)
    if output.is_terminal() and text and not text.endswith("\n"):
        show("\n")


def report_end(view: TurnView, *, is_told: bool = False) -> Exit:
    """Report on stderr why a turn did not complete.

    Args:
        is_told: the JSON on stdout has it, with the next step: a program gets only one line here.

    Returns:
        The turn's own exit code.
    """
    note = end_note(view)
    if note:
        output.note_told(note) if is_told else output.note(note, "RED")
    return EXIT_OF_STATE[view.state]
