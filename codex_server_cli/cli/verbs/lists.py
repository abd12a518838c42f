"""The verbs that list: `list-turns`, `list`, `show`."""

from __future__ import annotations

from typing import Any

from codex_server_cli.actions.read import read
from codex_server_cli.cli import output
from codex_server_cli.core.documents import turn as turn_documents
from codex_server_cli.core.model.turn import State
from codex_server_cli.render.notes import thread_text
from codex_server_cli.render.tables import short_path, table, turns_table
from codex_server_cli.settings.places import Settings


def list_turns(*, limit: int, state: State | None, cwd: str | None, thread: str | None, json: bool) -> None:
    """List turns, newest first."""
    settings = Settings.load()
    wanted = read.TurnFilter(state, cwd, _thread_ids(settings, thread))
    rows = [(view, read.prompt_beginning(view)) for view in read.list_turns(settings, limit, wanted)]
    problem = read.absent_home(settings)
    output.note_if(problem)
    if json:
        output.show_json([{**turn_documents.status(view), "prompt": prompt} for view, prompt in rows])
    elif not rows and wanted == read.TurnFilter():
        output.show("" if problem else 'No turns yet. Start one: codex-server new "your prompt"\n')
    else:
        output.show(turns_table(rows, output.width()))


def list_(*, limit: int, cwd: str | None, search: str | None, json: bool) -> None:
    """List Codex's own recent threads, newest first."""
    from codex_server_cli.actions.start import threads

    settings = Settings.load()
    found = threads.recent(settings, limit=limit, cwd=cwd, search=search)
    if json:
        output.show_json([_thread_document(summary) for summary in found])
    elif not found:
        output.show("No threads.\n")
    else:
        title = "NAME: FIRST PROMPT" if any(s.name for s in found) else "FIRST PROMPT"
        headings = ("THREAD", "UPDATED", "MODEL", "DIRECTORY", title)
        home = str(settings.user_home)
        rows = [
            (s.thread_id, f"{s.updated_at[:16]}Z", s.model or "", short_path(s.cwd, home), _title(s)) for s in found
        ]
        output.show(table(headings, rows, output.width()))


def show(*, thread: str, lines: int, json: bool) -> None:
    """Show one thread: its facts and its last entries."""
    from codex_server_cli.actions.start import threads

    view = threads.show(Settings.load(), thread, limit=lines)
    summary = view.summary
    if json:
        entries = [{"type": entry.type, "text": entry.text, "at": entry.at} for entry in view.entries]
        output.show_json({**_thread_document(summary), "entries": entries})
        return
    header = [
        ("thread", summary.thread_id),
        ("name", summary.name),
        ("directory", summary.cwd),
        ("model", summary.model),
        ("started", summary.started_at),
        ("updated", summary.updated_at),
        ("first prompt", summary.first_prompt),
        ("continue", f"codex-server continue --thread {summary.thread_id} -"),
    ]
    output.show(thread_text(header, [(e.type, e.at, e.text) for e in view.entries], output.width()))


def _title(summary: Any) -> str:
    """The thread's name in Codex, if any, and its first prompt."""
    prompt: str = summary.first_prompt or ""
    return f"{summary.name}: {prompt}" if summary.name else prompt


def _thread_ids(settings: Settings, thread: str | None) -> frozenset[str] | None:
    if thread is None:
        return None
    from codex_server_cli.actions.start import threads

    return threads.ids_of(settings, thread)


def _thread_document(summary: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "thread_id": summary.thread_id,
        "name": summary.name,
        "cwd": summary.cwd,
        "model": summary.model,
        "started_at": summary.started_at,
        "updated_at": summary.updated_at,
        "first_prompt": summary.first_prompt,
        "path": str(summary.path),
    }
