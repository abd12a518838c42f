"""How long what a key can consent to has been on the screen. Pure: the time comes from the caller."""

from __future__ import annotations

from codex_server_cli.render.turns.cockpit.state import Cockpit, OpenRequest


class Attention:
    """The question before the user: a request, each question of one, or whether a turn is to be cancelled."""

    def __init__(self) -> None:
        self._question: object = None
        self._came_up_s = 0.0

    def drawn(self, state: Cockpit, now_s: float) -> None:
        """The state is on the screen.

        Args:
            now_s: of any clock that goes only forward.
        """
        question = _question(state)
        if question != self._question:
            self._question, self._came_up_s = question, now_s

    def begin_again(self, now_s: float) -> None:
        """A key came too soon: those that follow it as fast are meant for the question no more than it was."""
        self._came_up_s = now_s

    def shown_s(self, state: Cockpit, now_s: float) -> float:
        """Seconds since the question of this state was drawn first; 0 for one that has not been drawn."""
        return now_s - self._came_up_s if _question(state) == self._question else 0.0


def _question(state: Cockpit) -> tuple[str | None, OpenRequest | None]:
    """What tells a question from any other; not what is typed, nor whether it was read to its end."""
    asked = state.asked
    return state.confirming_cancel, asked._replace(is_seen=False) if asked is not None else None
