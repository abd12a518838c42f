"""Publishing what Codex's own record adds to an ended turn. Owns the order in which a better end replaces the old one.

Needs the turn's lock, as every writer does (law 1). The order: `out.txt`, `result.json` made durable, `answer.txt`,
`meta.json`, then `done` made durable, and only then is `error` removed. A crash in between leaves the old end, with the
new answer where that was written, or the new end; the next `recover` finishes what this one had begun.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from codex_server_cli.core.history.stored_turn import Published, Recovery, text_to_append
from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.model.turn import Marker, State
from codex_server_cli.core.record.replay import replay
from codex_server_cli.core.record.turn_record import TurnRecord
from codex_server_cli.core.result.outcome import unreadable
from codex_server_cli.disk import lock
from codex_server_cli.disk.files import read_json
from codex_server_cli.disk.turn.contents import (
    append_text,
    event_lines,
    finished_result,
    meta_of,
    shown_text,
    told_request,
)
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.writer import complete, now, publish_result, result_of


def take_lock(turn: TurnDir, timeout_s: float) -> int | None:
    """Take the turn's lock, waiting for readers that probe it, a gc or another recovery.

    Returns:
        The descriptor that holds it; None where another process held it all the time.

    Raises:
        OSError: the directory is gone, or cannot be written.
    """
    return lock.acquire_unless(turn.lock, timeout_s, lambda: False)


class Ended(NamedTuple):
    """The files of a turn that has ended without being complete.

    Attributes:
        record: the replay of its events, with the ids of `meta.json`.
        published: the present answer and error kind.
        result: the content of `result.json`; that of an unreadable record where it cannot be read.
    """

    record: TurnRecord
    request: TurnRequest
    published: Published
    meta: dict[str, Any]
    result: dict[str, Any]


def read_ended(turn: TurnDir) -> Ended | None:
    """Read an ended turn; None where `meta.json` no longer holds the request.

    Raises:
        OSError: a file that is there cannot be read.
    """
    meta = meta_of(turn)
    request = told_request(turn, meta)
    if request is None:
        return None
    record, _ = replay(event_lines(turn))
    record.thread_id = meta.get("thread_id") or record.thread_id
    record.turn_id = meta.get("codex_turn_id") or record.turn_id
    result = finished_result(turn) or result_of(turn, unreadable(record, turn.turn_id), meta)
    published = Published(result["answer"], (result.get("error") or {}).get("kind"))
    return Ended(record, request, published, meta, result)


def finish_publishing(turn: TurnDir) -> bool:
    """Finish the writes of a recovery that was killed; return whether there were any."""
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


def publish_recovery(turn: TurnDir, ended: Ended, recovery: Recovery, source: str) -> None:
    """Replace the end of a turn by what was recovered.

    Args:
        source: `app-server` or `rollout`.

    Raises:
        OSError: the directory cannot be written.
    """
    ids = {"thread_id": ended.record.thread_id, "codex_turn_id": ended.record.turn_id}
    meta = ended.meta | ids
    if recovery.outcome is not None:
        result = result_of(turn, recovery.outcome, meta)
        for name in ("usage", "limits"):  # Codex's record has neither
            result[name] = result[name] or ended.result.get(name)
        if "changes_of" in ended.result:  # only the worker knows what commands wrote
            result.pop("changes", None)
            result |= {name: ended.result[name] for name in ("changes", "changes_of") if name in ended.result}
        result["finished_at"] = meta.get("finished_at") or result["finished_at"]
    else:
        error = {**(ended.result.get("error") or {}), "partial_answer": recovery.answer}
        result = ended.result | ids | {"answer": recovery.answer, "error": error}
    result["recovered"] = {"source": source, "at": now()}
    shown = shown_text(turn).decode("utf-8", "replace")
    addition = text_to_append(shown, ended.published.answer, recovery.answer)
    append_text(turn, addition.encode("utf-8", "replace"))
    publish_result(turn, result, meta)
