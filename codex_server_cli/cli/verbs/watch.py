"""The verb `watch`: one live board of turns, or plain lines if it cannot be drawn."""

from __future__ import annotations

from codex_server_cli.actions.read import monitor, read
from codex_server_cli.actions.read.board import Selection, chosen
from codex_server_cli.actions.read.read import TurnFilter
from codex_server_cli.cli import output
from codex_server_cli.core.model.turn import State
from codex_server_cli.settings.places import Settings


def watch(*, cwd: str | None, state: State | None, limit: int | None) -> None:
    """Watch turns on a live board; read, approve, answer, cancel them: ? lists the keys. In a pipe a line per phase."""
    settings = Settings.load()
    read.check_home(settings)
    selection = Selection(settings, TurnFilter(state, cwd))
    if output.can_redraw():
        from codex_server_cli.cli.terminal.board import show_board

        show_board(settings, selection, limit)
        return
    from codex_server_cli.cli.verbs.monitor import show_events

    if not read.running(settings):  # on stderr, so that it does not mix with the output
        output.note("Nothing runs; each turn to come gets its lines here. Ctrl-C ends this.")
    stream = monitor.stream(settings, follows=True, warn=lambda text: output.note(f"codex-server: {text}"))
    show_events(chosen(stream, selection), as_json=False)
