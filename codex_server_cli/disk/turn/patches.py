"""What patches changed, read from `events.jsonl`. Owns that a large file is read once, and few lines are decoded."""

from __future__ import annotations

import re
from collections.abc import Iterable

from codex_server_cli.core.protocol.rpc import Message, object_at, params_of, parse_line
from codex_server_cli.core.record.changes import DIFF_METHOD, Changes
from codex_server_cli.disk.turn.contents import event_lines
from codex_server_cli.disk.turn.layout import TurnDir

_METHOD = re.compile(rb'"method":"(turn/diff/updated|item/completed)"')
_METHOD_WITHIN = 200
_TURN = re.compile(rb'(?<!\\)"turnId":"([^"]*)"')


def read_patches(turn: TurnDir, thread_id: str | None, codex_turn_id: str | None) -> Changes:
    """Read what was recorded so far.

    Args:
        thread_id, codex_turn_id: Codex's ids; None where not known. On our thread only this turn counts, on a
            sub-agent's thread every turn.

    Raises:
        OSError: the file cannot be read.
    """
    changes = Changes()
    for message in _decoded(event_lines(turn)):
        params = params_of(message)
        if params.get("threadId") == thread_id and codex_turn_id not in (None, params.get("turnId")):
            continue
        if message.get("method") == DIFF_METHOD:
            changes.note_diff(params)
        else:
            changes.note_item(object_at(params, "item"))
    return changes


def _decoded(lines: Iterable[bytes]) -> Iterable[Message]:
    """The messages about patches; only the last diff of each turn, because each contains all before it."""
    diffs: dict[bytes, bytes] = {}
    for line in lines:
        method = _METHOD.search(line, 0, _METHOD_WITHIN)
        if method is None:
            continue
        if method.group(1) == DIFF_METHOD.encode():
            turn_id = _TURN.search(line)
            diffs[turn_id.group(1) if turn_id else b""] = line
        elif b'"fileChange"' in line:
            yield parse_line(line) or {}
    for line in diffs.values():
        yield parse_line(line) or {}
