"""Reading turns: which there are, which one is meant, and what state each is in. Owns laws 2 and 3.

Law 2: the lock is probed first, the markers are read second; the other order can report a finishing worker as dead.
Law 3: there is no index; listing is a directory scan in name order. Must never write a turn directory: where a dead
worker's turn needs its end published, `repair` does it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from codex_server_cli.core.model.turn import (
    Facts,
    Phase,
    State,
    TurnError,
    derive_state,
    is_turn_id,
    is_turn_id_prefix,
    is_turn_name,
    parse_time_ms,
)
from codex_server_cli.core.model.turn_files import unreadable_error, whole_error
from codex_server_cli.core.model.view import TurnView, has_notifier
from codex_server_cli.disk import lock
from codex_server_cli.disk.files import read_json, read_permitted_json
from codex_server_cli.disk.lock_holder import holder_pid
from codex_server_cli.disk.process import has_dead_worker, is_worker
from codex_server_cli.disk.turn.contents import Record, answer_text, facts_of, meta_of, read_meta, read_record
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.refusal import probe_records, refusal_of
from codex_server_cli.errors import AmbiguousError, HomeError, NotFoundError

_REPAIR_TIMEOUT_S = 2.0
"""How long a reader waits for another who is repairing the turn."""

Sweep = Callable[[TurnDir], object]
"""Ends what a dead worker left running, and puts back what it had taken."""


def read_state(turn: TurnDir, sweep: Sweep) -> State:
    """The state alone: one probe and one or two `stat`s while the turn runs."""
    state, unwritten = _state_after_repair(turn, sweep)
    return _view_of(turn, state, unwritten).state if state.is_end else state


def read_turn(turn: TurnDir, sweep: Sweep) -> TurnView:
    """Everything that the small files tell."""
    return _view_of(turn, *_state_after_repair(turn, sweep))


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
        PermissionError: we may not read it.
    """
    if state is State.MISSING:
        return TurnView(turn.turn_id, str(turn.path), state)
    if state is State.UNREADABLE:
        _look_into(turn)  # raises, but where it was made readable in this moment
    path = str(turn.path)
    if state is State.RUNNING:
        meta, live = read_meta(turn) or {}, read_permitted_json(turn.live) or {}
        notify = read_json(turn.notify) if has_notifier(meta) else None
        return TurnView(turn.turn_id, path, state, _phase_of(live), _elapsed_s(meta), meta, live, notify=notify)
    record = read_record(turn) if unwritten is None else _unwritten_record(turn, unwritten)
    if record is None:
        if not turn.exists:  # a collector took it between our looks
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
    """Wait, for a moment, until whoever repairs a turn that looks running has done so; whether there was one.

    That is a process that we see hold the lock in the stead of a worker that is gone. Seen from outside of a container
    the worker itself has another pid, and from another machine no holder is seen.
    """
    if view.state is not State.RUNNING or not has_dead_worker(view.meta):
        return False
    pid = holder_pid(turn.lock)
    if not pid or is_worker(pid, view.meta):
        return False
    lock.wait_until_free(turn.lock, _REPAIR_TIMEOUT_S)
    return True


def read_live(turn: TurnDir, view: TurnView) -> TurnView:
    """A turn that the caller knows to run still, as its worker tells it now: one small file, no look at the lock."""
    live = read_json(turn.live) or {}
    return view._replace(phase=_phase_of(live), elapsed_s=_elapsed_s(view.meta), live=live)


def _elapsed_s(meta: Mapping[str, Any]) -> float | None:
    started_ms = parse_time_ms(meta.get("started_at"))
    if started_ms is None:
        return None
    ended_ms = parse_time_ms(meta.get("finished_at")) or time.time_ns() // 1_000_000
    return max(0.0, round((ended_ms - started_ms) / 1000, 3))  # the clock may have been set back


def _state_after_repair(turn: TurnDir, sweep: Sweep) -> tuple[State, dict[str, Any] | None]:
    """The state, after repair where the worker is dead; the result too where it could not be written."""
    for _ in range(3):  # a turn may end, or be deleted, between two of our looks
        state = derive_state(_facts(turn))
        if state is not None:
            return state, None
        from codex_server_cli.disk.turn.repair import repair  # 10 ms that only a dead worker's turn needs

        unwritten = repair(turn, sweep)
        if unwritten is not None:
            return State(unwritten["state"]), unwritten
    return State.ABANDONED, None


def _facts(turn: TurnDir) -> Facts:
    try:
        return _look_into(turn)
    except PermissionError:
        return Facts(exists=True, lock_held=False, is_refused=True)


def _look_into(turn: TurnDir) -> Facts:
    """What a reader sees, in the order of law 2.

    Raises:
        PermissionError: we may not look, and no marker tells more than we may not see.
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
        probe_records(turn)  # nobody's end is told from files that may not be read
    return facts


def _phase_of(live: dict[str, Any]) -> Phase:
    try:
        return Phase(live.get("phase", Phase.STARTING))
    except ValueError:
        return Phase.STARTING  # a newer version's word


# --- which there are


def turn_ids(turns_path: Path) -> list[str]:
    """The ids of all turns, newest first.

    Raises:
        HomeError: the folder is there and cannot be read.
    """
    try:
        with os.scandir(turns_path) as entries:
            names = [entry.name for entry in entries if is_turn_id(entry.name) and entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:  # nothing was ever started here
        return []
    except OSError as error:  # that is no answer: there may be hundreds
        hint = "Look at its owner, or set CODEX_SERVER_HOME to a directory of your own."
        raise HomeError(f"cannot read {turns_path}: {error.strerror}", hint=hint) from error
    return sorted(names, reverse=True)


def iter_meta(turns_path: Path) -> Iterator[tuple[TurnDir, dict[str, Any]]]:
    """All turns with their `meta.json`, newest first; unreadable ones are passed over."""
    for turn_id in turn_ids(turns_path):
        turn = TurnDir(turns_path / turn_id)
        meta = meta_of(turn)
        if "request" in meta:
            yield turn, meta


# --- which one is meant


def resolve(turns_path: Path, selector: str, cwd: str | None) -> TurnDir:
    """The turn that a user means: an id, a unique prefix of one, a name, or `last`.

    Args:
        cwd: the directory whose newest turn `last` means; None is the current one.

    Raises:
        NotFoundError: none, or several, or nothing that could be one (`../x`): no path is ever made of it.
        HomeError: none that we may read; another user's may be the one.
    """
    if selector == "last":
        return _last(turns_path, cwd)
    if is_turn_id(selector) and (turn := TurnDir(turns_path / selector)).exists:
        return turn
    if is_turn_id_prefix(selector):
        return _by_prefix(turns_path, selector)
    if is_turn_name(selector):
        return _by_name(turns_path, selector)
    raise NotFoundError(f"not a turn id, prefix or name: {selector!r}", hint="codex-server list-turns shows them.")


def _last(turns_path: Path, cwd: str | None) -> TurnDir:
    try:
        wanted = os.path.realpath(cwd or ".")
    except OSError as error:
        raise NotFoundError("the current directory is gone", hint="Name another with --cwd.") from error
    for turn, meta in iter_meta(turns_path):
        if is_place(meta.get("cwd"), wanted):
            return turn
    _refuse_if_unknown(turns_path, f"no turn was started in {wanted}")
    raise NotFoundError(f"no turn was started in {wanted}", hint="codex-server list-turns shows those of other places.")


def _refuse_if_unknown(turns_path: Path, nothing_found: str) -> None:
    """What may not be read may be what was looked for in vain: then that is all that can be said."""
    for turn_id in turn_ids(turns_path):
        turn = TurnDir(turns_path / turn_id)
        try:
            read_meta(turn)
        except PermissionError as error:
            refusal = refusal_of(turn, error)
            message = f"{nothing_found}, of those that may be read; {refusal.message}"
            raise HomeError(message, hint=refusal.hint) from error


def is_place(path: str | None, real_path: str) -> bool:
    """Whether a recorded directory is this one."""
    return path is not None and os.path.realpath(path) == real_path


def _by_prefix(turns_path: Path, prefix: str) -> TurnDir:
    found = [turn_id for turn_id in turn_ids(turns_path) if turn_id.startswith(prefix)]
    if len(found) == 1:
        return TurnDir(turns_path / found[0])
    if not found:
        raise NotFoundError(f"no such turn: {prefix}", hint="codex-server list-turns shows the turns there are.")
    some = ", ".join(found[:3]) + (" …" if len(found) > 3 else "")
    raise AmbiguousError(f"{len(found)} turns begin with {prefix}: {some}", hint="Give more of the id.")


def _by_name(turns_path: Path, name: str) -> TurnDir:
    for turn, meta in iter_meta(turns_path):
        if meta.get("name") == name:
            return turn
    _refuse_if_unknown(turns_path, f"no turn is named {name}")
    raise NotFoundError(f"no turn is named {name}", hint="codex-server list-turns shows the turns there are.")
