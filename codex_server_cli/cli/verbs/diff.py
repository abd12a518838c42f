"""The verb `diff`: what a turn changed."""

from __future__ import annotations

from codex_server_cli.actions.read import read
from codex_server_cli.actions.read.changes import Changed, changes
from codex_server_cli.cli import output
from codex_server_cli.core.documents.changes import changes_document
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.unified_diff import LEFT_OUT, encoded
from codex_server_cli.errors import UsageError
from codex_server_cli.render.changes import doubt_note, name_lines, shown_stat, stat_text
from codex_server_cli.settings.places import Settings


def diff(*, turn: str, stat: bool, name_only: bool, json: bool, full: bool, cwd: str | None) -> None:
    """Print what a turn changed, so far or at its end, as a diff that `git apply` accepts."""
    if stat + name_only + (json or full) > 1:
        raise UsageError("--stat, --name-only and --json exclude each other")
    found = changes(read.find(Settings.load(), turn, cwd))
    view, entries = found.view, found.entries
    if json or full:
        shown = changes_document(view.turn_id, entries, found.changes_of, found.diff, found.diff_path, is_full=full)
        output.show_json(shown)
        return
    if stat and output.is_terminal():
        output.show_styled(shown_stat(entries, output.ink(), output.width()))
    elif stat:
        output.show(stat_text(entries))
    elif name_only:
        output.show(name_lines(entries))
    elif output.is_terminal():
        _show_diff(found)
    else:
        output.show_bytes(encoded(found.diff))
    is_running = view.state is State.RUNNING
    notes = [doubt_note(found.changes_of, is_running=is_running)]
    if not entries:
        notes.insert(0, f"turn {view.turn_id} has changed no file" + (" so far" if is_running else ""))
    if not (stat or name_only) and f"\n{LEFT_OUT}" in f"\n{found.diff}":
        notes += ["the diff is too long: its last lines name the files that are left out"]
    for note in filter(None, notes):
        output.note(f"codex-server: {note}")


def _show_diff(found: Changed) -> None:
    """Show how much changed, and the diff in colour."""
    from codex_server_cli.render.style.diff import diff_lines  # only for a terminal

    ink = output.ink()
    output.show_styled(shown_stat(found.entries, ink, output.width()))
    lines = diff_lines(found.diff, ink)
    output.show_styled("".join(f"{line}\n" for line in ["", *lines]) if lines else "")
