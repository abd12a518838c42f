"""Publishing the end of a turn whose worker died. Owns the repairer's side of law 1.

A turn whose lock is free and that has no marker lost its worker. A reader that finds it takes the lock, checks again
and publishes the end that the files prove: a finished `result.json` as it is, else the replay of `events.jsonl`. Needs
no network, is idempotent, and of two concurrent repairers only one writes. Must never start or signal a process itself:
the caller passes in the cleanup.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import Any

from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.model.turn import State, TurnError
from codex_server_cli.core.record.replay import replay
from codex_server_cli.core.record.turn_record import TurnRecord
from codex_server_cli.core.result.failures import make_error, without_colours
from codex_server_cli.core.result.outcome import Cause, Outcome, decide, unreadable
from codex_server_cli.disk import lock, mount_targets
from codex_server_cli.disk.files import tail_text
from codex_server_cli.disk.safe_open import is_directory
from codex_server_cli.disk.turn import inbox, reserve
from codex_server_cli.disk.turn.contents import (
    append_text,
    bare_request,
    event_lines,
    finished_result,
    meta_of,
    shown_text,
    told_request,
)
from codex_server_cli.disk.turn.journal_end import append_end_once
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.writer import complete, publish, result_of
from codex_server_cli.errors import ErrorKind

LOG_TAIL_BYTES = 4000
_LOCK_TIMEOUT_S = 2.0


def repair(turn: TurnDir, clean_up: Callable[[TurnDir], object]) -> dict[str, Any] | None:
    """Publish the end of a turn whose worker is dead.

    Args:
        turn: a directory seen with its lock free and without a marker.
        clean_up: ends what the dead worker left running, and restores what it had taken; called under the turn's lock.

    Returns:
        The content for `result.json`, where it could be derived but not written (a read-only home), or where a defect
        of ours prevents the repair: other turns are not affected, and a fixed version repairs this one. None where the
        directory now has the state: repaired by us or by another process, or alive after all.
    """
    if _is_of_another_user(turn):
        return _derive(turn)
    try:
        lock_fd = _take_lock(turn)
    except OSError:
        return _derive(turn)
    if lock_fd is None:
        return None
    try:
        if turn.marker is not None:
            return None
        clean_up(turn)
        mount_targets.clean(turn)
        reserve.release(turn)
        result = finished_result(turn)
        if result is not None:
            complete(turn, result, meta_of(turn))
        else:
            _publish_replay(turn)
        _delete_unfinished(turn)
    except OSError:
        return _derive(turn)
    except Exception as error:
        return _result_of_our_defect(turn, error)
    else:
        with contextlib.suppress(OSError):  # a monitor appends what is missing
            append_end_once(turn)
        return None
    finally:
        os.close(lock_fd)


def _is_of_another_user(turn: TurnDir) -> bool:
    """Whether we are root and the turn is a user's, who could not read what root would write there."""
    if os.geteuid() != 0:
        return False
    with contextlib.suppress(OSError):
        return turn.path.lstat().st_uid != 0
    return False


def _take_lock(turn: TurnDir) -> int | None:
    """Take the lock, which a probing reader blocks for an instant, another repairer for longer."""
    return lock.acquire_unless(turn.lock, _LOCK_TIMEOUT_S, lambda: turn.marker is not None)


def _delete_unfinished(turn: TurnDir) -> None:
    """Remove the hidden temporary files of writes that the dead worker had not finished, and its snapshot."""
    if is_directory(turn.snapshot):
        import shutil  # 3 ms, only for a turn that might write

        shutil.rmtree(turn.snapshot, ignore_errors=True)
    for name in os.listdir(turn.path):  # noqa: PTH208 — names, not paths
        if name.startswith(".") and name not in (reserve.NAME, turn.snapshot.name):
            (turn.path / name).unlink(missing_ok=True)


def _publish_replay(turn: TurnDir) -> None:
    record, text = replay(event_lines(turn))
    _complete_text(turn, text)
    meta = meta_of(turn)
    known = {"thread_id": record.thread_id, "codex_turn_id": record.turn_id}
    meta |= {name: value for name, value in known.items() if value is not None}
    publish(turn, _outcome_of(turn, record, meta), meta)


def _derive(turn: TurnDir) -> dict[str, Any]:
    """The result derived from the files, for when nothing can be written."""
    try:
        meta = meta_of(turn)
        return finished_result(turn) or result_of(turn, _outcome_of(turn, _recorded(turn), meta), meta)
    except Exception as error:
        return _result_of_our_defect(turn, error)


def _recorded(turn: TurnDir) -> TurnRecord:
    try:
        return replay(event_lines(turn))[0]
    except OSError:
        return TurnRecord()


def outcome_of_defect(turn: TurnDir, request: TurnRequest, error: TurnError) -> Outcome:
    """The end of a turn whose worker or repairer hit a defect. The received events still count."""
    try:
        record = _recorded(turn)
    except Exception:  # the replay itself is what failed
        record = TurnRecord()
    try:
        return decide(record, Cause.FAILED, request, error=error)
    except Exception:
        return Outcome(State.FAILED, None, None, None, error)


def _result_of_our_defect(turn: TurnDir, error: Exception) -> dict[str, Any]:
    message = f"a defect of codex-server: {type(error).__name__}: {error}"
    hint = "Please report it, with this line; what was received is kept in the turn's directory."
    outcome = outcome_of_defect(turn, bare_request(turn), make_error(ErrorKind.INTERNAL, message, hint=hint))
    return result_of(turn, outcome, meta_of(turn))


def _outcome_of(turn: TurnDir, record: TurnRecord, meta: dict[str, Any]) -> Outcome:
    cause = Cause.CANCELLED if inbox.was_accepted(turn, "cancel") else Cause.WORKER_DIED
    request = told_request(turn, meta)
    if request is None:
        return unreadable(record, turn.turn_id)
    outcome = decide(record, cause, request)
    return outcome.with_stderr(without_colours(tail_text(turn.log, LOG_TAIL_BYTES)))


def _complete_text(turn: TurnDir, text: str) -> None:
    """Append to `out.txt` what the worker had recorded but not written there yet."""
    whole, shown = text.encode("utf-8", "replace"), shown_text(turn)
    if whole != shown and whole.startswith(shown):
        append_text(turn, whole[len(shown) :])
