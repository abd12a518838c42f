"""Publishing what Codex's own record adds to a turn that has ended. Owns the order in which a better end replaces one.

Needs the turn's lock, as every writer does (law 1). The order: `out.txt`, `result.json` made durable, `answer.txt`,
`meta.json`, then `done` made durable, and only then is `error` removed. A crash in between leaves the old end, with the
new answer where that was written, or the new end; the next `recover` finishes what this one had begun.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from codex_server_cli.core.events import replay
from codex_server_cli.core.record import TurnRecord
from codex_server_cli.core.request import TurnRequest
from codex_server_cli.core.rpc import text_or_none
from codex_server_cli.core.stored_turn import Published, Recovery, text_to_append
from codex_server_cli.core.turn import Marker, State, state_of_kind
from codex_server_cli.disk import lock
from codex_server_cli.disk.contents import (
    append_text,
    bare_request,
    event_lines,
    finished_result,
    meta_of,
    request_of,
    shown_text,
)
from codex_server_cli.disk.files import read_json
from codex_server_cli.disk.publish import complete, now, publish_result, result_of
from codex_server_cli.disk.repair import lost_outcome
from codex_server_cli.disk.turn_dir import TurnDir


def take_lock(turn: TurnDir, timeout_s: float) -> int | None:
    """Hold the turn's lock: readers probe it in passing, a gc or another recovery holds it for longer.

    Returns:
        The descriptor that holds it; None where somebody else held it all the time.

    Raises:
        OSError: the directory is gone, or cannot be written.
    """
    return lock.acquire_unless(turn.lock, timeout_s, lambda: False)


class Ended(NamedTuple):
    """What is on disk of a turn that has ended without being complete.

    Attributes:
        record: the fold of its events; with Codex's id of the turn from `meta.json` where they do not tell it.
        published: the answer and the error's kind as they stand.
        result: the content of `result.json`, as far as it makes sense.
    """

    record: TurnRecord
    request: TurnRequest
    published: Published
    meta: dict[str, Any]
    result: dict[str, Any]


def read_ended(turn: TurnDir) -> Ended:
    """Read an ended turn again.

    Raises:
        OSError: a file that is there cannot be read.
    """
    meta, error = meta_of(turn), read_json(turn.error) or {}
    result = finished_result(turn) or {}
    record, _ = replay(event_lines(turn))
    record.thread_id, record.turn_id = (
        text_or_none(meta.get("thread_id")) or record.thread_id,
        text_or_none(meta.get("codex_turn_id")) or record.turn_id,
    )
    answer = text_or_none(result.get("answer", error.get("partial_answer")))
    published = Published(answer, text_or_none(error.get("kind")))
    return Ended(record, request_of(turn, meta) or bare_request(turn), published, meta, result)


def finish_publishing(turn: TurnDir) -> bool:
    """Write what a recovery that was killed had still to write; whether there was anything."""
    result, marker = finished_result(turn), turn.marker
    if result is None or not result.get("recovered"):
        return False
    error = read_json(turn.error) if os.path.lexists(turn.error) else None
    if result["state"] == State.COMPLETE:
        is_whole = marker is Marker.DONE and error is None
    else:
        is_whole = error is not None and error.get("partial_answer") == result.get("answer")
    if not is_whole:
        complete(turn, result, meta_of(turn))
    return not is_whole


def rebuild_result(turn: TurnDir) -> bool:
    """Make the `result.json` of a complete turn anew, where it is lost; False where no other file tells the answer.

    Raises:
        OSError: the directory cannot be written.
    """
    outcome, meta = lost_outcome(turn), meta_of(turn)
    if outcome.answer is None:
        return False
    result = result_of(turn, outcome._replace(state=State.COMPLETE), meta)
    result["finished_at"] = meta.get("finished_at") or result["finished_at"]
    publish_result(turn, result, meta)
    return True


def publish_recovery(turn: TurnDir, ended: Ended, recovery: Recovery, source: str) -> None:
    """Replace the end of a turn by what was recovered.

    Args:
        source: `app-server` or `rollout`.

    Raises:
        OSError: the directory cannot be written.
    """
    meta = ended.meta | {"thread_id": ended.record.thread_id, "codex_turn_id": ended.record.turn_id}
    if recovery.outcome is not None:
        result = result_of(turn, recovery.outcome, meta)
        for name in ("usage", "limits"):  # Codex's record has neither; ours may have been read before it was lost
            result[name] = result[name] or ended.result.get(name)
        result["finished_at"] = meta.get("finished_at") or result["finished_at"]
    else:
        result = _ended_result(turn, ended, meta) | {"answer": recovery.answer}
        if isinstance(result["error"], dict):
            result["error"] = result["error"] | {"partial_answer": recovery.answer}
    result["recovered"] = {"source": source, "at": now()}
    shown = shown_text(turn).decode("utf-8", "replace")
    addition = text_to_append(shown, ended.published.answer, recovery.answer)
    append_text(turn, addition.encode("utf-8", "replace"))
    publish_result(turn, result, meta)


def _ended_result(turn: TurnDir, ended: Ended, meta: dict[str, Any]) -> dict[str, Any]:
    """The end as it stands; made up from the marker where `result.json` cannot be read any more."""
    made_up = {
        "version": 1,
        "turn_id": turn.turn_id,
        "state": str(state_of_kind(ended.published.kind)),
        "usage": None,
        "limits": None,
        "error": read_json(turn.error),
        "finished_at": meta.get("finished_at"),
    }
    known = {name: value for name, value in ended.result.items() if name != "error" or isinstance(value, dict)}
    return made_up | known | {name: meta[name] for name in ("thread_id", "codex_turn_id")}
