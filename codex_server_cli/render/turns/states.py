"""How the state of a turn is shown: its words, and one glyph and style for cards, lists, the board and chat.

States differ by their glyph, not only by colour: colours may be off, or indistinguishable for a user.
"""

from __future__ import annotations

from typing import Final

from codex_server_cli.core.model.turn import Phase, State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.render.style.ink import Style

_LOOK_OF: Final[dict[Phase | State, tuple[str, Style]]] = {
    Phase.WAITING_APPROVAL: ("!", Style.WARNING),
    Phase.WAITING_INPUT: ("!", Style.WARNING),
    Phase.QUEUED: ("·", Style.DIM),
    State.COMPLETE: ("✓", Style.GREEN),
    State.CANCELLED: ("–", Style.DIM),
    State.FAILED: ("✗", Style.RED),
    State.ABANDONED: ("✗", Style.RED),
    State.UNREADABLE: ("?", Style.DIM),
    State.MISSING: ("?", Style.RED),
}
_RUNNING = ("●", Style.CYAN)


def look(view: TurnView) -> tuple[str, Style]:
    """The glyph of a turn's state, one cell wide, and the style of both."""
    return _LOOK_OF.get(view.phase or view.state, _RUNNING)


def state_words(view: TurnView) -> str:
    """What a turn does, or how it ended: `running command`, `waits for approval`, `complete`, `failed (rate_limit)`."""
    if view.phase is Phase.WAITING_APPROVAL:
        return "waits for approval"
    if view.phase is Phase.WAITING_INPUT:
        return "waits for an answer"
    if view.phase is not None:
        return str(view.phase).replace("_", " ")
    kind = (view.error or {}).get("kind")
    return str(view.state) if kind in (None, str(view.state)) else f"{view.state} ({kind})"
