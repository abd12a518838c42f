"""How long the question that a key can answer has been on the screen. Pure: the caller passes the time."""

from __future__ import annotations

from codex_server_cli.render.turns.cockpit.state import Cockpit, OpenRequest


class Attention:
    """The question on the screen: a request, each question of one, or whether to cancel a turn."""

    def __init__(self) -> None:
        self._question: object = None
        self._came_up_s = 0.0

    def drawn(self, state: Cockpit, now_s: float) -> None:
        """The state is on the screen.

        Args:
            now_s: of a monotonic clock.
        """
        question = _question(state)
        if question != self._question:
            self._question, self._came_up_s = question, now_s

    def begin_again(self, now_s: float) -> None:
        """A key came too soon: restart the time, as keys right after it are not meant for the question either."""
        self._came_up_s = now_s

    def shown_s(self, state: Cockpit, now_s: float) -> float:
        """Seconds since the question of this state was first drawn; 0 for one that has not been drawn."""
        return now_s - self._came_up_s if _question(state) == self._question else 0.0


def _question(state: Cockpit) -> tuple[str | None, OpenRequest | None]:
    """What identifies a question; not the typed text, nor whether it was read to its end."""
    asked = state.asked
    return state.confirming_cancel, asked._replace(is_seen=False) if asked is not None else None
