"""The verb `status`, in a file of its own because its start-up has a budget."""

from __future__ import annotations

from codex_server_cli.actions.read import read
from codex_server_cli.cli import output
from codex_server_cli.core.documents import turn as turn_documents
from codex_server_cli.core.model.turn import EXIT_OF_STATE, State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.errors import AmbiguousError, Exit, NotFoundError
from codex_server_cli.render.notes import end_note
from codex_server_cli.settings.places import Settings


def status(*, turns: list[str], cwd: str | None) -> Exit:
    """Print where turns stand, as one JSON object."""
    settings = Settings.load()
    if not turns:
        output.note_if(read.absent_home(settings))
        output.show_json(turn_documents.several(read.running(settings)))
        return Exit.OK
    views = [_view(settings, turn, cwd, is_one=len(turns) == 1) for turn in turns]
    output.show_json(turn_documents.status(views[0]) if len(views) == 1 else turn_documents.several(views))
    for note in (end_note(view) for view in views if view.state is State.UNREADABLE):
        output.note(note)
    states = {view.state for view in views}
    bad = [state for state in (State.MISSING, State.UNREADABLE) if state in states]
    return EXIT_OF_STATE[bad[0]] if bad else Exit.OK


def _view(settings: Settings, turn: str, cwd: str | None, *, is_one: bool) -> TurnView:
    """A missing turn is a result here, not an error; an ambiguous selector is an error."""
    try:
        directory = read.find(settings, turn, cwd)
        return read.status_after_repair(directory) if is_one else read.status(directory)  # waits of many would add up
    except AmbiguousError:
        raise
    except NotFoundError as error:
        output.note(f"codex-server: {error.message}")
        return TurnView(turn, "", State.MISSING)
