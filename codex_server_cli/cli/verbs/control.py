"""The verbs that act on turns: `cancel` on running ones, `recover` on ended ones."""

from __future__ import annotations

from codex_server_cli.actions.control import control
from codex_server_cli.actions.read import read
from codex_server_cli.cli import output
from codex_server_cli.core.documents import turn as turn_documents
from codex_server_cli.core.model.turn import EXIT_OF_STATE, State
from codex_server_cli.errors import Exit
from codex_server_cli.render.notes import end_note
from codex_server_cli.settings.places import Settings


def cancel(*, turns: list[str], cwd: str | None) -> Exit:
    """Interrupt turns: their commands die too, what was received is kept. An ended turn stays as it is."""
    settings = Settings.load()
    found = [read.find(settings, turn, cwd) for turn in turns]  # all or none: a typo cancels nothing
    views = control.cancel(list({each.turn_id: each for each in found}.values()))
    output.show_json(turn_documents.status(views[0]) if len(turns) == 1 else turn_documents.several(views))
    if any(view.state is State.RUNNING for view in views):
        output.note(
            "codex-server: a turn could not be ended\nIts worker does not react: see worker.log in its directory."
        )
        return Exit.BUSY
    unreadable = [view for view in views if view.state is State.UNREADABLE]
    for view in unreadable:
        output.note(end_note(view))
    return EXIT_OF_STATE[State.UNREADABLE] if unreadable else Exit.OK


def recover(*, turn: str, cwd: str | None) -> Exit:
    """Ask Codex's own record for what an ended turn did not get; end with the turn's code."""
    from codex_server_cli.actions.control.recover import (
        recover as ask,
    )  # imports a Codex client, which `cancel` does not need

    settings = Settings.load()
    recovered = ask(settings, read.find(settings, turn, cwd))
    document = turn_documents.recovered(recovered.view, recovered.message, is_recovered=recovered.is_recovered)
    output.show_json(document)
    return EXIT_OF_STATE[recovered.view.state]
