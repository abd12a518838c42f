"""Showing a turn while it runs, and waiting for its end. Owns what `tail`, `wait`, `new -f` and `new --wait` share."""

from __future__ import annotations

import codecs
from collections.abc import Iterable

from codex_server_cli.actions import follow, read
from codex_server_cli.cli import output
from codex_server_cli.core.turn import EXIT_OF_STATE
from codex_server_cli.core.view import TurnView
from codex_server_cli.errors import Exit
from codex_server_cli.render.views import end_note
from codex_server_cli.settings.places import Settings


def follow_text(settings: Settings, selector: str, *, last_lines: int | None = None, cwd: str | None = None) -> Exit:
    """Show a turn's text to its end; Ctrl-C leaves the turn running.

    Returns:
        The turn's own exit code.
    """
    directory = read.find(settings, selector, cwd)
    try:
        show_pieces(follow.text(directory, last_lines=last_lines, follows=True))
    except KeyboardInterrupt:
        output.note(f"\nThe turn goes on: codex-server tail {directory.turn_id} --follow")
        return Exit.INTERRUPTED
    return report_end(read.status(directory))


def wait_for_end(settings: Settings, selector: str) -> TurnView:
    """Sleep until a turn has ended."""
    return read.wait(read.find(settings, selector))


def show_pieces(pieces: Iterable[bytes]) -> None:
    """Text as it comes; a character that is cut between two pieces waits for its rest."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for piece in pieces:
        output.show(decoder.decode(piece))


def report_end(view: TurnView) -> Exit:
    """Say on stderr why a turn did not complete.

    Returns:
        The turn's own exit code.
    """
    note = end_note(view)
    if note:
        output.note(note)
    return EXIT_OF_STATE[view.state]
