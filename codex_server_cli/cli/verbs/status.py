"""The verb `status`, in its own file because its start-up has a time budget."""

from __future__ import annotations

from typing import Any

from codex_server_cli.actions.read import read
from codex_server_cli.cli import output
from codex_server_cli.cli.no_home import note_absent_home
from codex_server_cli.core.documents import turn as turn_documents
from codex_server_cli.core.model.turn import EXIT_OF_STATE, State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.errors import AmbiguousError, Exit, NotFoundError
from codex_server_cli.render.notes import end_note
from codex_server_cli.settings.places import Settings


def status(*, turns: list[str], json: bool, full: bool, fields: str | None, cwd: str | None) -> Exit:
    """Print the state of turns: in words on a terminal, else as one JSON object."""
    settings = Settings.load()
    names = _names(fields, is_full=full)
    is_json = output.wants_json(json, full, names)
    selectors = read.expand(settings, turns)
    is_one = bool(turns) and not read.means_several(turns)
    if turns:
        found = (_view(settings, selector, cwd, is_one=is_one) for selector in selectors)
        views = list({view.turn_id: view for view in found}.values())
    else:
        note_absent_home(settings)
        views = read.running(settings)
    if not is_json:
        _show_words(settings, views, is_one=is_one)
    else:
        output.show_json(_one(views[0], names, is_full=full) if is_one else _several(views, names, is_full=full))
    if not turns:
        return Exit.OK
    for note in (end_note(view) for view in views if view.state is State.UNREADABLE):
        output.note_told(note)
    states = {view.state for view in views}
    bad = [state for state in (State.MISSING, State.UNREADABLE) if state in states]
    return EXIT_OF_STATE[bad[0]] if bad else Exit.OK


def _show_words(settings: Settings, views: list[TurnView], *, is_one: bool) -> None:
    """Show turns on a terminal; missing or unreadable ones are reported on stderr."""
    from codex_server_cli.cli import show_status  # a pipe needs none of it

    known = [view for view in views if view.state not in (State.MISSING, State.UNREADABLE)]
    if is_one and known:
        show_status.show_card(settings, known[0])
    elif known or not views:
        show_status.show_rows(settings, known)


def _names(fields: str | None, *, is_full: bool) -> tuple[str, ...] | None:
    if fields is None:
        return None
    from codex_server_cli.core.documents.fields import read_fields

    return read_fields(fields, turn_documents.status_keys(), is_full=is_full)


def _one(view: TurnView, names: tuple[str, ...] | None, *, is_full: bool) -> dict[str, Any]:
    if names is None:
        return turn_documents.status(view, is_full=is_full)
    from codex_server_cli.core.documents.fields import only

    return only(names, turn_documents.full_status(view), turn_documents.status(view))


def _several(views: list[TurnView], names: tuple[str, ...] | None, *, is_full: bool) -> dict[str, Any]:
    document = turn_documents.several(views, is_full=is_full)
    return document if names is None else document | {"turns": [_one(view, names, is_full=False) for view in views]}


def _view(settings: Settings, turn: str, cwd: str | None, *, is_one: bool) -> TurnView:
    """A missing turn is a result here, not an error; an ambiguous selector is an error."""
    try:
        directory = read.find(settings, turn, cwd)
        return read.status_after_repair(directory) if is_one else read.status(directory)  # many waits would add up
    except AmbiguousError:
        raise
    except NotFoundError as error:
        output.note_told(f"codex-server: {error.message}\n{error.hint}")
        return TurnView(turn, "", State.MISSING)
