"""A snapshot of one turn: the source of what every interface shows and of every JSON document."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from codex_server_cli.core.model.turn import Phase, State

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def may_ask(meta: Mapping[str, Any]) -> bool:
    """Whether a turn may wait for a user, according to its `meta.json`."""
    request = meta.get("request") or {}
    return request.get("approval") == "ask" or bool(request.get("may_ask_questions") or request.get("is_plan"))


def has_notifier(meta: Mapping[str, Any]) -> bool:
    """Whether a turn has a notify command, according to its `meta.json`."""
    return (meta.get("request") or {}).get("notify") is not None


class TurnView(NamedTuple):
    """A snapshot of a turn.

    Attributes:
        turn_id: our id.
        path: its directory.
        state: derived, never stored.
        phase: what a running turn is doing; None otherwise.
        elapsed_s: seconds from its start to its end, or to now; None if its start is unknown.
        meta: `meta.json`, `{}` if it cannot be read.
        live: `live.json` of a running turn, else `{}`.
        result: `result.json` of an ended turn, else `{}`; only the answer if the record cannot be read.
        error: the error object of an ended turn, None for a complete or a running one.
        notify: the result of its notify command (`notify.json`), None if none has run.
    """

    turn_id: str
    path: str
    state: State
    phase: Phase | None = None
    elapsed_s: float | None = None
    meta: Mapping[str, Any] = _NOTHING
    live: Mapping[str, Any] = _NOTHING
    result: Mapping[str, Any] = _NOTHING
    error: dict[str, Any] | None = None
    notify: dict[str, Any] | None = None

    @property
    def answer(self) -> str | None:
        """The answer of an ended turn, or the part of it that had arrived."""
        answer: str | None = self.result.get("answer")
        return answer

    @property
    def changes(self) -> list[dict[str, Any]]:
        """The files that it changed, so far."""
        changes: list[dict[str, Any]] = self.result.get("changes") or self.live.get("changes") or []
        return changes

    @property
    def changes_of(self) -> str | None:
        """The source of `changes` (see `outcome.ChangesOf`); None if no command of the turn can write."""
        changes_of: str | None = self.result.get("changes_of") or self.live.get("changes_of")
        return changes_of

    @property
    def is_resumable(self) -> bool:
        """Whether the turn left a thread that `continue` can resume."""
        is_ephemeral = (self.meta.get("request") or {}).get("is_ephemeral")
        return self.meta.get("codex_turn_id") is not None and not is_ephemeral

    @property
    def has_worktree(self) -> bool:
        """Whether the turn has left changes in its own worktree, or may do so while it runs."""
        record = self.meta.get("worktree")
        return record is not None and not record.get("is_removed")

    @property
    def thread_id(self) -> str | None:
        """Codex's id of the conversation, once it has one."""
        thread_id: str | None = self.meta.get("thread_id")
        return thread_id
