"""The turns in a Codex session file, in the shape of `thread/turns/list`. Must never open a file.

For when no app-server is available. Both layouts that `entries` describes are read, as 0.163.0 and 0.171.0 write them:
`task_started` begins a turn, `task_complete` (an older name: `turn_complete`) or `turn_aborted` ends it. A turn without
an end has the status None: codex was killed, or still runs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from codex_server_cli.core.history.entries import parse_line, payload_of
from codex_server_cli.core.protocol.rpc import Message, objects_in, text_in

_MARKS = (
    *(b'"task_started"', b'"turn_started"', b'"task_complete"', b'"turn_complete"', b'"turn_aborted"'),
    *(b'"AgentMessage"', b'"agent_message"'),
)
"""Only lines with one of these are parsed: most of a file is commands and their output."""


def turns_of_rollout(lines: Iterable[bytes]) -> list[Message]:
    """The turns in the lines of a session file, oldest first; unknown content is skipped."""
    turns: dict[str, Message] = {}
    turn: Message | None = None
    for line in lines:
        if not any(mark in line for mark in _MARKS):
            continue
        payload = payload_of(parse_line(line), "event_msg")
        handler = _HANDLERS.get(str(payload.get("type")))
        if handler is None:
            continue
        turn_id = payload.get("turn_id")
        if isinstance(turn_id, str):
            turn = turns.setdefault(turn_id, {"id": turn_id, "status": None, "error": None, "items": []})
        if turn is not None:  # legacy lines name no turn: they belong to the last one that began
            handler(turn, payload)
    return list(turns.values())


def _on_started(_turn: Message, _payload: Message) -> None:
    """The caller has created the turn; there is nothing to add."""


def _on_item(turn: Message, payload: Message) -> None:
    item = payload.get("item")
    if isinstance(item, dict) and item.get("type") == "AgentMessage":
        texts = [text_in(part.get("text")) for part in objects_in(item.get("content"))]
        _add(turn, "".join(texts), item.get("phase"), item.get("id"))


def _on_message(turn: Message, payload: Message) -> None:
    _add(turn, text_in(payload.get("message")), payload.get("phase"))


def _add(turn: Message, text: str, phase: object = None, item_id: object = None) -> None:
    items = turn["items"]
    items.append({"id": item_id or f"rollout-{len(items)}", "type": "agentMessage", "text": text, "phase": phase})


def _on_complete(turn: Message, payload: Message) -> None:
    error, last = payload.get("error"), payload.get("last_agent_message")
    if isinstance(error, dict):
        turn["status"] = "failed"
        turn["error"] = {"message": error.get("message"), "codexErrorInfo": error.get("codex_error_info")}
        return
    turn["status"] = "completed"
    if isinstance(last, str) and not turn["items"]:
        _add(turn, last)


def _on_aborted(turn: Message, _payload: Message) -> None:
    turn["status"] = "interrupted"


_HANDLERS: dict[str, Callable[[Message, Message], None]] = {
    "task_started": _on_started,
    "turn_started": _on_started,
    "item_completed": _on_item,
    "agent_message": _on_message,
    "task_complete": _on_complete,
    "turn_complete": _on_complete,
    "turn_aborted": _on_aborted,
}
