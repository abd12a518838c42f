"""What `status` shows people: one turn as a card, several as a line each. Loaded only if stdout is a terminal."""

from __future__ import annotations

from codex_server_cli.actions.control.approvals import pending_of
from codex_server_cli.actions.read import read
from codex_server_cli.actions.read.for_people import shortened
from codex_server_cli.cli import output
from codex_server_cli.cli.no_home import say_nothing
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.result.commands import PROGRAM
from codex_server_cli.render.pending import pending_text
from codex_server_cli.render.spinner import is_waiting
from codex_server_cli.render.style.ink import Style
from codex_server_cli.render.turns import card
from codex_server_cli.render.turns.rows import turn_rows
from codex_server_cli.settings.places import Settings

_NOTHING = "Nothing runs. What has ended: codex-server list-turns\n"


def show_card(settings: Settings, view: TurnView) -> None:
    """Show one turn, with its pending requests in full."""
    display = output.display()
    short_id = shortened(settings, [view.turn_id])[view.turn_id]
    called = view._replace(turn_id=short_id)  # for short commands
    asked = [pending_text(called, entry, display.now_ms, display.width, display.ink) for entry in pending_of(view)]
    output.show_styled(card.card(view, short_id, read.prompt_beginning(view), asked, display))


def show_rows(settings: Settings, views: list[TurnView]) -> None:
    """Show turns, a line each, and how to see their requests; a message if there are none."""
    if not views:
        say_nothing(settings, _NOTHING)
        return
    width, ink, now_ms, home = output.display()
    rows = [(view, read.prompt_beginning(view)) for view in views]
    output.show_styled(turn_rows(rows, now_ms, home, width, ink, shortened(settings, [view.turn_id for view in views])))
    if any(is_waiting(view) for view in views):
        output.show_styled(f"→ {ink(f'{PROGRAM} pending', Style.BOLD)}\n")
