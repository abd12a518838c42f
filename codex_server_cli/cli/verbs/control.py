"""The verbs that act on turns: `cancel` on running ones, `recover` on ended ones."""

from __future__ import annotations

import os

from codex_server_cli.actions.control import control
from codex_server_cli.actions.read import read
from codex_server_cli.cli import output
from codex_server_cli.core.documents import turn as turn_documents
from codex_server_cli.core.model.turn import EXIT_OF_STATE, State
from codex_server_cli.errors import BadInputError, Exit, UsageError
from codex_server_cli.render.notes import end_note
from codex_server_cli.settings.places import Settings


def cancel(*, turns: list[str], is_all: bool, full: bool, cwd: str | None) -> Exit:
    """Interrupt turns: their commands die too, what was received is kept. An ended turn stays as it is."""
    if is_all and turns:
        raise UsageError("--all cancels all that run: it takes no TURN")
    if not (is_all or turns):
        raise UsageError("Missing argument 'TURN...'", hint="Or --all. Try: codex-server cancel --help")
    settings = Settings.load()
    if is_all:
        output.note_if(read.absent_home(settings))
        running = read.running(settings, cwd)
        views = control.cancel([read.directory_of(view) for view in running if view.state is State.RUNNING])
        for view in running:
            if view.state is State.UNREADABLE:
                output.note(end_note(view))
        if not running and cwd is not None and not os.path.isdir(cwd):  # noqa: PTH112 — any text
            raise BadInputError(f"there is no directory {cwd}", hint="codex-server status lists what runs, everywhere.")
    else:
        views = control.cancel(read.find_all(settings, turns, cwd))  # all or none: a typo cancels nothing
    if is_all or read.means_several(turns):
        output.show_json(turn_documents.several(views, is_full=full))
    else:
        output.show_json(turn_documents.status(views[0], is_full=full))
    if any(view.state is State.RUNNING for view in views):
        output.note(
            "codex-server: a turn could not be ended\nIts worker does not react: see worker.log in its directory."
        )
        return Exit.BUSY
    unreadable = [view for view in views if view.state is State.UNREADABLE]
    for view in unreadable:
        output.note_told(end_note(view))
    return EXIT_OF_STATE[State.UNREADABLE] if unreadable else Exit.OK


def apply(*, turn: str, full: bool, cwd: str | None) -> Exit:
    """Bring back what a turn changed in its worktree; end with 1 where that conflicts."""
    from codex_server_cli.actions.control.apply import apply as bring_back  # runs git, which `cancel` does not need

    settings = Settings.load()
    done = bring_back(settings, read.find(settings, turn, cwd))
    output.show_json(turn_documents.applied(done.turn_id, done.changes, done._asdict(), is_full=full))
    if done.left or not (done.changes or done.conflicts):
        output.note(f"codex-server: {done.message}")
    for path in done.conflicts:
        output.note(f"conflict: {path}")
    return Exit.FAILED if done.conflicts else Exit.OK


def recover(*, turn: str, full: bool, cwd: str | None) -> Exit:
    """Ask Codex's own record for what an ended turn did not get; end with the turn's code."""
    from codex_server_cli.actions.control.recover import (
        recover as ask,
    )  # imports a Codex client, which `cancel` does not need

    settings = Settings.load()
    recovered = ask(settings, read.find(settings, turn, cwd))
    output.show_json(
        turn_documents.recovered(recovered.view, recovered.message, is_recovered=recovered.is_recovered, is_full=full)
    )
    return EXIT_OF_STATE[recovered.view.state]
