"""The verbs that act on turns: `cancel` on running ones, `recover` on ended ones."""

from __future__ import annotations

import os

from codex_server_cli.actions.control import control
from codex_server_cli.actions.read import read
from codex_server_cli.cli import output
from codex_server_cli.cli.no_home import note_absent_home, say_nothing
from codex_server_cli.core.documents import turn as turn_documents
from codex_server_cli.core.model.turn import EXIT_OF_STATE, State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.result.commands import of_turn
from codex_server_cli.errors import BadInputError, Exit, UsageError
from codex_server_cli.render.notes import end_note
from codex_server_cli.settings.places import Settings


def cancel(*, turns: list[str], is_all: bool, json: bool, full: bool, cwd: str | None) -> Exit:
    """Interrupt turns and kill their commands; what was received is kept. An ended turn is not changed."""
    if is_all and turns:
        raise UsageError("--all cancels all that run: it takes no TURN")
    if not (is_all or turns):
        raise UsageError("Missing argument 'TURN...'", hint="Or --all. Try: codex-server cancel --help")
    settings = Settings.load()
    # Named turns: all or none, because a typo must not cancel anything.
    views = _cancel_all(settings, cwd) if is_all else control.cancel(read.find_all(settings, turns, cwd))
    if not output.wants_json(json, full):
        _show_cancelled(settings, views)
    elif is_all or read.means_several(turns):
        output.show_json(turn_documents.several(views, is_full=full))
    else:
        output.show_json(turn_documents.status(views[0], is_full=full))
    if any(view.state is State.RUNNING for view in views):
        output.note(
            "codex-server: a turn could not be ended\nIts worker does not react: see worker.log in its directory.",
            "RED",
        )
        return Exit.BUSY
    unreadable = [view for view in views if view.state is State.UNREADABLE]
    for view in unreadable:
        output.note_told(end_note(view))
    return EXIT_OF_STATE[State.UNREADABLE] if unreadable else Exit.OK


def _cancel_all(settings: Settings, cwd: str | None) -> list[TurnView]:
    note_absent_home(settings)
    running = read.running(settings, cwd)
    views = control.cancel([read.directory_of(view) for view in running if view.state is State.RUNNING])
    for view in running:
        if view.state is State.UNREADABLE:
            output.note(end_note(view))
    if not running and cwd is not None and not os.path.isdir(cwd):  # noqa: PTH112 — any text
        raise BadInputError(f"there is no directory {cwd}", hint="codex-server status lists what runs, everywhere.")
    return views


def _show_cancelled(settings: Settings, views: list[TurnView]) -> None:
    """Show on a terminal how the turns have ended; others are reported on stderr."""
    from codex_server_cli.actions.read.for_people import shortened
    from codex_server_cli.render.turns import card

    short, display = shortened(settings, [view.turn_id for view in views]), output.display()
    for view in views:
        short_id = short[view.turn_id]
        if view.state is State.CANCELLED:
            output.show_styled(card.done(short_id, "cancelled", display, of_turn("tail", short_id)))
        elif view.state.is_end:
            output.show_styled(card.over_already(view, short_id, display))
    if not views:
        say_nothing(settings, "Nothing runs: there is nothing to cancel.\n")


def apply(*, turn: str, json: bool, full: bool, cwd: str | None) -> Exit:
    """Apply the changes in a turn's worktree to the user's files; exit code 1 on conflicts."""
    from codex_server_cli.actions.control.apply import apply as bring_back  # runs git, which `cancel` does not need

    settings = Settings.load()
    done = bring_back(settings, read.find(settings, turn, cwd))
    if output.wants_json(json, full):
        output.show_json(turn_documents.applied(done.turn_id, done.changes, done._asdict(), is_full=full))
    else:
        from codex_server_cli.actions.read.for_people import shortened
        from codex_server_cli.render.turns.outcomes import applied

        short_id = shortened(settings, [done.turn_id])[done.turn_id]
        output.show_styled(applied(short_id, done.changes, done.conflicts, done.message, done.next, output.display()))
        return Exit.FAILED if done.conflicts else Exit.OK
    if done.left or not (done.changes or done.conflicts):
        output.note(f"codex-server: {done.message}")
    for path in done.conflicts:
        output.note(f"conflict: {path}")
    return Exit.FAILED if done.conflicts else Exit.OK


def recover(*, turn: str, json: bool, full: bool, cwd: str | None) -> Exit:
    """Recover what an ended turn lacks from Codex's own record; returns the turn's exit code."""
    from codex_server_cli.actions.control.recover import (
        recover as ask,
    )  # imports a Codex client, which `cancel` does not need

    settings = Settings.load()
    recovered = ask(settings, read.find(settings, turn, cwd))
    if output.wants_json(json, full):
        output.show_json(
            turn_documents.recovered(
                recovered.view, recovered.message, is_recovered=recovered.is_recovered, is_full=full
            )
        )
    else:
        from codex_server_cli.actions.read.for_people import shortened
        from codex_server_cli.render.turns.outcomes import recovered as recovered_text

        short_id = shortened(settings, [recovered.view.turn_id])[recovered.view.turn_id]
        told = recovered_text(
            recovered.view, short_id, recovered.message, output.display(), is_recovered=recovered.is_recovered
        )
        output.show_styled(told)
    return EXIT_OF_STATE[recovered.view.state]
