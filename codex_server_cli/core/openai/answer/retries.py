"""How long Codex may retry a model request before the client gets an error. Owns the budget.

For a request that fails with 500, Codex makes 30 model requests in 25 s, and the official clients would retry each of
our 5xx responses twice.
"""

from __future__ import annotations

_LIMIT_S = 15.0
_MOST = 2


class RetryBudget:
    """Counts the retries of one model response, and their time.

    Attributes:
        error: the error that was retried last; None while nothing is retried.
    """

    def __init__(self) -> None:
        self.error: dict[str, object] | None = None
        self._n = 0
        self._since_s = 0.0

    def note(self, error: dict[str, object], now_s: float) -> None:
        """Codex retries after an error."""
        if self.error is None:
            self._since_s = now_s
        self.error, self._n = error, self._n + 1

    def note_progress(self) -> None:
        """The model responds: the time stops, but the retries still count."""
        self.error = None

    def reset(self) -> None:
        """A model response is complete."""
        self.error, self._n = None, 0

    @property
    def due_s(self) -> float | None:
        """When the budget is spent; None while nothing is retried."""
        if self.error is None:
            return None
        return self._since_s + (_LIMIT_S if self._n < _MOST else 0.0)
