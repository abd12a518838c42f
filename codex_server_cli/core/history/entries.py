"""What a line of a Codex session file adds to the conversation. Owns the line's meaning; must never open a file.

Session files hold one `{"timestamp","type","payload"}` a line. Two layouts, seen in files of 0.163.0 and 0.171.0:

* *paginated* (the default; every line has an `ordinal`): what users see is in `event_msg` lines of payload
  type `item_completed`, whose `item.type` is a PascalCase item name (`UserMessage`, `CommandExecution`).
* *legacy* (also every older version): `event_msg` lines `user_message`, `agent_message`, `patch_apply_end`;
  a command is only in the `response_item` that requested it.

`response_item` messages of role `user` also hold the context that Codex injects (AGENTS.md, environment), so they
are not read as user messages if an event has those. The format is Codex's own and may change without notice:
unknown content is skipped, never an error.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from typing import Any, NamedTuple

from codex_server_cli.core.protocol.rpc import at, object_at, objects_in

Json = dict[str, Any]

_SHELL_TOOLS = frozenset({"exec_command", "shell", "shell_command", "local_shell", "container.exec"})


class ThreadEntry(NamedTuple):
    """One message, command or change of a thread.

    Attributes:
        type: the app-server's item name (`userMessage`, `agentMessage`, `commandExecution`, `fileChange`,
            `mcpToolCall`, `webSearch`, `plan`), or `error` for the message that ended a failed turn.
        text: raw text: the message, the command line, the changed paths, the query. Never empty.
        at: RFC 3339 UTC with milliseconds, as Codex wrote it; empty if the line has no time.
        item: for a `fileChange`, the app-server's item with the patches; else None, and None in a session file.
    """

    type: str
    text: str
    at: str
    item: Json | None = None


def parse_entry(line: bytes) -> ThreadEntry | None:
    """What a line adds to the conversation, or None (bookkeeping, reasoning, injected context, torn lines)."""
    record = parse_line(line)
    return event_entry(record) or _legacy_command(record)


def parse_entries(lines: Iterable[bytes]) -> list[ThreadEntry]:
    """The entries of `lines`, in their order."""
    return [entry for line in lines if (entry := parse_entry(line)) is not None]


def event_entry(record: Json) -> ThreadEntry | None:
    """What an `event_msg` record adds: everything of a paginated file, all but the commands of a legacy one."""
    payload = payload_of(record, "event_msg")
    kind = payload.get("type")
    item = at(payload, "item", dict)
    if kind == "item_completed" and item is not None:
        name = as_text(item.get("type")) or ""
        return _entry(record, name[:1].lower() + name[1:], _item_text(name, item))
    if kind in ("task_complete", "error"):
        holder = payload.get("error") if kind == "task_complete" else payload
        return _entry(record, "error", at(holder, "message", str))
    match kind:
        case "user_message" if payload.get("kind") in (None, "plain"):  # 2025 versions marked injected context
            return _entry(record, "userMessage", as_text(payload.get("message")))
        case "agent_message":
            return _entry(record, "agentMessage", as_text(payload.get("message")))
        case "patch_apply_end":
            return _entry(record, "fileChange", _changes_text(payload))
        case "web_search_end":
            return _entry(record, "webSearch", as_text(payload.get("query")))
        case "mcp_tool_call_end":
            return _entry(record, "mcpToolCall", _mcp_text(payload.get("invocation")))
    return None


def _item_text(name: str, item: Json) -> str | None:
    match name:
        case "UserMessage" | "AgentMessage":
            return "\n".join(content_texts(item))
        case "CommandExecution":
            return _command_text(item.get("command"))
        case "FileChange":
            return _changes_text(item)
        case "McpToolCall":
            return _mcp_text(item)
        case "WebSearch":
            return as_text(item.get("query"))
        case "Plan":
            return as_text(item.get("text"))
    return None


def _legacy_command(record: Json) -> ThreadEntry | None:
    """The command that a legacy line requests; a paginated file repeats it as a completed item."""
    payload = payload_of(record, "response_item")
    if "ordinal" in record or payload.get("type") not in ("function_call", "local_shell_call"):
        return None
    if payload["type"] == "local_shell_call":
        arguments = payload.get("action")
    elif as_text(payload.get("name")) in _SHELL_TOOLS:
        arguments = parse_line(as_text(payload.get("arguments")) or "")
    else:
        return None
    if not isinstance(arguments, dict):
        return None
    return _entry(record, "commandExecution", _command_text(arguments.get("cmd", arguments.get("command"))))


def _entry(record: Json, kind: str, text: str | None) -> ThreadEntry | None:
    return ThreadEntry(kind, text, as_text(record.get("timestamp")) or "") if text and text.strip() else None


def _command_text(command: object) -> str | None:
    """A command line as a user would type it: the script of `bash -lc script`, else the quoted arguments."""
    if isinstance(command, str):
        return command
    if not isinstance(command, list) or not all(isinstance(word, str) for word in command):
        return None
    is_script = len(command) == 3 and command[1] in ("-c", "-lc")
    return command[2] if is_script else shlex.join(command)


def _changes_text(item: Json) -> str | None:
    changes = at(item, "changes", dict)
    return "\n".join(changes) if changes is not None else None


def _mcp_text(call: object) -> str | None:
    if not isinstance(call, dict):
        return None
    return ".".join(name for key in ("server", "tool") if (name := as_text(call.get(key))))


def content_texts(message: Json) -> list[str]:
    """The text parts of a message; images and sound have none."""
    return [text for part in objects_in(message.get("content")) if (text := as_text(part.get("text")))]


def payload_of(record: Json, line_type: str) -> Json:
    """The payload of a record of this `type`; empty for any other record."""
    return object_at(record, "payload") if record.get("type") == line_type else {}


def parse_line(line: bytes | str) -> Json:
    """The object on a line; empty for anything else (a torn line, bad UTF-8, absurd nesting)."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def as_text(value: object) -> str | None:
    """The value itself where it is a string."""
    return value if isinstance(value, str) else None
