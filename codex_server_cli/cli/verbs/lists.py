"""The verbs that list: `list-turns`, `list`, `show`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from codex_server_cli.actions.read import read
from codex_server_cli.cli import output
from codex_server_cli.cli.no_home import note_absent_home, say_nothing
from codex_server_cli.core.documents import turn as turn_documents
from codex_server_cli.core.documents.fields import only, read_fields
from codex_server_cli.core.documents.lean import without_empty
from codex_server_cli.core.documents.turn import VERSION
from codex_server_cli.core.duration import since_ms
from codex_server_cli.core.model.turn import State, parse_time_ms
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.render.notes import entries_text, turn_header
from codex_server_cli.render.tables import short_path, table, turns_table
from codex_server_cli.settings.places import Settings

if TYPE_CHECKING:
    from codex_server_cli.actions.read.show import ShownTurn
    from codex_server_cli.actions.start.threads import ThreadView

_LONG = 1000
_THREAD_KEYS = ("version", "thread_id", "name", "cwd", "model", "started_at", "updated_at", "first_prompt", "path")


def list_turns(
    *,
    limit: int,
    state: State | None,
    cwd: str | None,
    thread: str | None,
    search: str | None,
    since: str | None,
    name: str | None,
    is_long: bool,
    json: bool,
    full: bool,
    fields: str | None,
) -> None:
    """List turns, newest first."""
    names = read_fields(fields, (*turn_documents.status_keys(), "prompt"), is_full=full)
    start_ms = since_ms(since, "--since", time.time_ns() // 1_000_000) if since is not None else None
    settings = Settings.load()
    wanted = read.TurnFilter(state, cwd, _thread_ids(settings, thread), start_ms, name, search)
    rows = [(view, read.prompt_beginning(view)) for view in read.list_turns(settings, limit, wanted)]
    note_absent_home(settings)
    if json or full or names:
        output.show_json([_row(view, prompt, names, is_full=full) for view, prompt in rows])
    elif not rows and wanted == read.TurnFilter():
        say_nothing(settings, 'No turns yet. Start one: codex-server new "your prompt"\n')
    elif rows and (is_long or output.is_terminal()):
        _show_rows(settings, rows, is_long=is_long)
    else:
        output.show(turns_table(rows, output.width()))


def _show_rows(settings: Settings, rows: list[tuple[TurnView, str]], *, is_long: bool) -> None:
    """Show turns on a terminal, or with every column."""
    from codex_server_cli.render.turns.rows import long_turn_rows, turn_rows

    if is_long:
        output.show_styled(long_turn_rows(rows, str(settings.user_home), output.ink()))
        return
    from codex_server_cli.actions.read.for_people import shortened

    width, ink, now_ms, home = output.display()
    short = shortened(settings, [view.turn_id for view, _ in rows])
    output.show_styled(turn_rows(rows, now_ms, home, width, ink, short))


def list_(
    *, limit: int, cwd: str | None, search: str | None, is_long: bool, json: bool, full: bool, fields: str | None
) -> None:
    """List Codex's own recent threads, newest first."""
    names = read_fields(fields, _THREAD_KEYS, is_full=full)
    from codex_server_cli.actions.start import threads

    settings = Settings.load()
    found = threads.recent(settings, limit=limit, cwd=cwd, search=search)
    if json or full or names:
        documents = [_thread_document(summary, is_full=full or bool(names)) for summary in found]
        output.show_json([only(names, each, {}) for each in documents] if names else documents)
    elif not found:
        output.show("No threads.\n")
    elif output.is_terminal() and not is_long:
        _show_threads(settings, found)
    else:
        title = "NAME: FIRST PROMPT" if any(s.name for s in found) else "FIRST PROMPT"
        headings = ("THREAD", "UPDATED", "MODEL", "DIRECTORY", title)
        home = str(settings.user_home)
        rows = [
            (s.thread_id, f"{s.updated_at[:16]}Z", s.model or "", short_path(s.cwd, home), _title(s)) for s in found
        ]
        output.show(table(headings, rows, _LONG if is_long else output.width()))


def _show_threads(settings: Settings, found: list[Any]) -> None:
    """Show threads on a terminal, with short ids."""
    from codex_server_cli.actions.read.for_people import shortened_threads
    from codex_server_cli.render.turns.threads import ThreadRow, thread_rows

    rows = [ThreadRow(s.thread_id, parse_time_ms(s.updated_at), s.name, s.first_prompt, s.cwd, s.model) for s in found]
    short = shortened_threads(settings, {row.thread_id: row.name for row in rows})
    output.show_styled(thread_rows(rows, short, output.display()))


def show(*, which: str, lines: int, json: bool, full: bool, cwd: str | None) -> None:
    """Show one turn or one thread: its facts and its last entries."""
    from codex_server_cli.actions.read import show as show_action

    settings = Settings.load()
    shown = show_action.show(settings, which, cwd, limit=lines)
    if json or full:
        if isinstance(shown, show_action.ShownTurn):
            document = turn_documents.status(shown.view, is_full=full) | {"prompt": shown.prompt}
        else:
            document = _thread_document(shown.summary, is_full=full)
        document |= {"entries": [{"type": entry.type, "text": entry.text, "at": entry.at} for entry in shown.entries]}
        output.show_json(document if full else without_empty(document))
    elif output.is_terminal():
        _show_in_words(settings, shown)
    else:
        header = (
            turn_header(shown.view, shown.prompt)
            if isinstance(shown, show_action.ShownTurn)
            else _thread_header(shown.summary)
        )
        output.show(entries_text(header, [(e.type, e.at, e.text) for e in shown.entries], output.width()))


def _show_in_words(settings: Settings, shown: ShownTurn | ThreadView) -> None:
    """Show a turn or a thread on a terminal."""
    from codex_server_cli.actions.read.for_people import shortened
    from codex_server_cli.actions.start import threads
    from codex_server_cli.cli.terminal.turn_text import markdown_rows
    from codex_server_cli.render.turns.shown import shown_thread, shown_turn

    entries, display = shown.entries, output.display()
    if isinstance(shown, threads.ThreadView):
        output.show_styled(shown_thread(_thread_header(shown.summary), entries, display, markdown_rows))
    else:
        short = shortened(settings, [shown.view.turn_id])[shown.view.turn_id]
        output.show_styled(shown_turn(shown.view, shown.prompt, short, entries, display, markdown_rows))


def _thread_header(summary: Any) -> list[tuple[str, str | None]]:
    return [
        ("thread", summary.thread_id),
        ("name", summary.name),
        ("directory", summary.cwd),
        ("model", summary.model),
        ("started", summary.started_at),
        ("updated", summary.updated_at),
        ("first prompt", summary.first_prompt),
        ("continue", f"codex-server continue --thread {summary.thread_id} -"),
    ]


def _row(view: TurnView, prompt: str, names: tuple[str, ...] | None, *, is_full: bool) -> dict[str, Any]:
    full = turn_documents.listed(view, prompt, is_full=is_full or bool(names))
    return only(names, full, turn_documents.status(view)) if names else full


def _title(summary: Any) -> str:
    """The thread's name in Codex, if any, and its first prompt."""
    prompt: str = summary.first_prompt or ""
    return f"{summary.name}: {prompt}" if summary.name else prompt


def _thread_ids(settings: Settings, thread: str | None) -> frozenset[str] | None:
    if thread is None:
        return None
    from codex_server_cli.actions.start import threads

    return threads.ids_of(settings, thread)


def _thread_document(summary: Any, *, is_full: bool) -> dict[str, Any]:
    full = {"version": VERSION, **{key: getattr(summary, key) for key in _THREAD_KEYS[1:-1]}, "path": str(summary.path)}
    if is_full:
        return full
    lean: dict[str, Any] = without_empty({key: full[key] for key in _THREAD_KEYS[1:-1]})
    return lean
