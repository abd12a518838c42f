"""Reading one turn: its state, and the content of its small files. Owns law 2.

Law 2: the lock is probed first, the markers are read second; the other order can report a finishing worker as dead.
Must never write a turn directory: `repair` publishes the end of a dead worker's turn.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from codex_server_cli.core.model.turn import (
    Facts,
    Phase,
    State,
    TurnError,
    derive_state,
    parse_time_ms,
)
from codex_server_cli.core.model.turn_files import unreadable_error, whole_error
from codex_server_cli.core.model.view import TurnView, has_notifier
from codex_server_cli.disk import lock
from codex_server_cli.disk.files import read_json, read_permitted_json
from codex_server_cli.disk.lock_holder import holder_pid
from codex_server_cli.disk.process import has_dead_worker, is_worker
from codex_server_cli.disk.turn.contents import Record, answer_text, facts_of, read_meta, read_record
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.refusal import probe_records, refusal_of

_REPAIR_TIMEOUT_S = 2.0
"""How long a reader waits for another process that is repairing the turn."""


class TurnReader:
    """Reads turns; if a worker died, has the end of its turn published first.

    Args:
        clean_up: ends what a dead worker left running and restores what it had taken, within a bounded time.
    """

    def __init__(self, clean_up: Callable[[TurnDir], object]) -> None:
        self._clean_up = clean_up

    def state(self, turn: TurnDir) -> State:
        """Only the state: one probe and one or two `stat`s while the turn runs."""
        state, unwritten = self._state_after_repair(turn)
        return _view_of(turn, state, unwritten).state if state.is_end else state

    def view(self, turn: TurnDir) -> TurnView:
        """The content of all small files."""
        return _view_of(turn, *self._state_after_repair(turn))

    def _state_after_repair(self, turn: TurnDir) -> tuple[State, dict[str, Any] | None]:
        """The state, after a repair if the worker is dead; the result, too, if it could not be written."""
        for _ in range(3):  # a turn may end, or be deleted, between two reads
            state = derive_state(_facts(turn))
            if state is not None:
                return state, None
            from codex_server_cli.disk.turn.repair import repair  # 10 ms, only for a dead worker's turn

            unwritten = repair(turn, self._clean_up)
            if unwritten is not None:
                return State(unwritten["state"]), unwritten
        return State.ABANDONED, None


def _view_of(turn: TurnDir, state: State, unwritten: dict[str, Any] | None) -> TurnView:
    try:
        return _read_view(turn, state, unwritten)
    except PermissionError as refusal:
        error = refusal_of(turn, refusal)
        told = TurnError(error.kind, error.message, error.hint).to_json()
        return TurnView(turn.turn_id, str(turn.path), State.UNREADABLE, error=told)


def _read_view(turn: TurnDir, state: State, unwritten: dict[str, Any] | None) -> TurnView:
    """The view of a turn in this state.

    Raises:
        PermissionError: it is not readable.
    """
    if state is State.MISSING:
        return TurnView(turn.turn_id, str(turn.path), state)
    if state is State.UNREADABLE:
        _look_into(turn)  # raises, unless it has just been made readable
    path = str(turn.path)
    if state is State.RUNNING:
        meta, live = read_meta(turn) or {}, read_permitted_json(turn.live) or {}
        notify = read_json(turn.notify) if has_notifier(meta) else None
        return TurnView(turn.turn_id, path, state, _phase_of(live), _elapsed_s(meta), meta, live, notify=notify)
    record = read_record(turn) if unwritten is None else _unwritten_record(turn, unwritten)
    if record is None:
        if not turn.exists:  # a collector deleted it meanwhile
            return TurnView(turn.turn_id, path, State.MISSING)
        meta, answer = read_meta(turn) or {}, answer_text(turn)
        view = TurnView(turn.turn_id, path, State.FAILED, None, _elapsed_s(meta), meta, result={"answer": answer})
        return view._replace(error=unreadable_error(turn.turn_id, answer).to_json())
    notify = read_json(turn.notify) if has_notifier(record.meta) else None
    view = TurnView(turn.turn_id, path, state, None, _elapsed_s(record.meta), record.meta, result=record.result)
    return view._replace(error=record.error, notify=notify)


def _unwritten_record(turn: TurnDir, result: dict[str, Any]) -> Record | None:
    meta, error = read_meta(turn), result.get("error")
    return None if meta is None else Record(meta, result, whole_error(error) if error is not None else None)


def outlast_repairer(turn: TurnDir, view: TurnView) -> bool:
    """Wait briefly for a repairer of a turn that looks running; return whether there was one.

    A repairer is a process that holds the lock while the worker is gone. Seen from outside of a container, the worker
    itself has another pid; from another machine, no holder is visible.
    """
    if view.state is not State.RUNNING or not has_dead_worker(view.meta):
        return False
    pid = holder_pid(turn.lock)
    if not pid or is_worker(pid, view.meta):
        return False
    lock.wait_until_free(turn.lock, _REPAIR_TIMEOUT_S)
    return True


def read_live(turn: TurnDir, view: TurnView) -> TurnView:
    """A turn that the caller knows to be running, from `live.json` alone: the lock is not probed."""
    live = read_json(turn.live) or {}
    return view._replace(phase=_phase_of(live), elapsed_s=_elapsed_s(view.meta), live=live)


def _elapsed_s(meta: Mapping[str, Any]) -> float | None:
    started_ms = parse_time_ms(meta.get("started_at"))
    if started_ms is None:
        return None
    ended_ms = parse_time_ms(meta.get("finished_at")) or time.time_ns() // 1_000_000
    return max(0.0, round((ended_ms - started_ms) / 1000, 3))  # the clock may have been set back


def _facts(turn: TurnDir) -> Facts:
    try:
        return _look_into(turn)
    except PermissionError:
        return Facts(exists=True, lock_held=False, is_refused=True)


def _look_into(turn: TurnDir) -> Facts:
    """The facts about a turn's end, read in the order of law 2.

    Raises:
        PermissionError: it is not readable, and no marker is visible that would make that irrelevant.
    """
    refusal, lock_held = None, False
    try:
        lock_held = lock.is_held(turn.lock)
        os.stat(f"{turn.path}/.")  # noqa: PTH116 — Path drops the dot; a marker in a closed directory reads as none
    except PermissionError as error:
        refusal = error
    except OSError:  # it is gone
        return Facts(turn.exists, lock_held=False)
    facts = facts_of(turn, lock_held=lock_held)
    if facts.marker is None and refusal is not None:
        raise refusal
    if facts.marker is None and not lock_held:
        probe_records(turn)  # no end is derived from unreadable files
    return facts


def _phase_of(live: dict[str, Any]) -> Phase:
    try:
        return Phase(live.get("phase", Phase.STARTING))
    except ValueError:
        return Phase.STARTING  # a phase of a newer version
