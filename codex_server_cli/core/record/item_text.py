"""One item of a turn as a short readable block. Owns the wording and symbols of `out.txt`; keeps no state.

Text is raw: `out.txt` keeps it unchanged, and a terminal interface escapes it for display.
Item shapes: protocol notes, section 5, "ThreadItem variants".
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

from codex_server_cli.core.protocol.rpc import Message, at, object_at, objects_in, readable_message, text_in
from codex_server_cli.core.record.changes import ChangesOf

MAX_OUTPUT_LINES = 20
MAX_OUTPUT_CHARS = 2000
_HEAD_LINES = 8
_SHELLS = frozenset({"sh", "bash", "zsh", "dash"})
_SHELL_FOLDERS = frozenset({"", "/bin", "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"})
_STEP_MARKS = {"completed": "☑", "inProgress": "▸"}


def command_line(item: Message) -> str:
    """The command that was run: `$ echo hello`."""
    first, *rest = unwrapped(str(item.get("command") or "")).split("\n")
    return "\n".join([f"$ {first}", *(f"  {line}" for line in rest)]) + "\n"


def unwrapped(command: str) -> str:
    """A command without the shell that Codex wraps around it."""
    try:
        words = shlex.split(command)
    except ValueError:
        return command
    folder, _, shell = words[0].rpartition("/") if words else ("", "", "")
    is_shell = shell in _SHELLS and folder in _SHELL_FOLDERS  # elsewhere it may be any program
    is_wrapped = is_shell and len(words) == 3 and words[1] in ("-c", "-lc")
    return words[2] if is_wrapped else command


def command_end(item: Message, *, is_denied: bool = False) -> str:
    """An excerpt of the output and how it ended: `→ exit 0 · 1.2 s`; and whether the sandbox denied it."""
    denial = " · denied by the sandbox" if is_denied else ""
    return bounded(str(item.get("aggregatedOutput") or "")) + f"→ {_end_status(item)}{denial}\n"


def bounded(output: str) -> str:
    """`output` as a whole if it is short, else its head and tail around a line that counts what is omitted."""
    if not output.strip():
        return ""
    lines = output.rstrip("\n").split("\n")
    if len(lines) > MAX_OUTPUT_LINES:
        tail_lines = MAX_OUTPUT_LINES - _HEAD_LINES - 1
        left_out = len(lines) - _HEAD_LINES - tail_lines
        lines = [*lines[:_HEAD_LINES], f"… {left_out} more lines …", *lines[-tail_lines:]]
    text = "\n".join(lines)
    if len(text) > MAX_OUTPUT_CHARS:
        half = MAX_OUTPUT_CHARS // 2
        text = f"{text[:half]}\n… {len(text) - 2 * half} more characters …\n{text[-half:]}"
    return text + "\n"


def _end_status(item: Message) -> str:
    exit_code, duration_ms = item.get("exitCode"), item.get("durationMs")
    status = f"exit {exit_code}" if isinstance(exit_code, int) else str(item.get("status") or "ended")
    return f"{status} · {duration_ms / 1000:.1f} s" if isinstance(duration_ms, int) else status


def _file_change(item: Message) -> str:
    outcome = "" if item.get("status") == "completed" else f" ({item.get('status')})"
    changes = objects_in(item.get("changes"))
    return "".join(f"± {change.get('path')}{_change_details(change)}{outcome}\n" for change in changes)


def _change_details(change: Message) -> str:
    type_ = at(change, "kind.type", str) or change.get("kind")
    diff = str(change.get("diff") or "")
    if type_ == "add":  # its diff is the raw content of the file
        count = diff.count("\n") + (diff != "" and not diff.endswith("\n"))
        return f" new, {count} line{'' if count == 1 else 's'}"
    if type_ == "delete":
        return " deleted"
    lines = diff.split("\n")
    added = sum(line.startswith("+") and not line.startswith("+++") for line in lines)
    removed = sum(line.startswith("-") and not line.startswith("---") for line in lines)
    moved_to = at(change, "kind.move_path", str)
    return f" +{added} −{removed}" + (f" → {moved_to}" if moved_to else "")


def changes_line(changes: list[Message], changes_of: str | None) -> str:
    """The last line of a turn that changed files: `± 3 files +40 −2`."""
    added, removed = (sum(change.get(count) or 0 for change in changes) for count in ("added", "removed"))
    doubt = " (by patches; what commands wrote is not known)" if changes_of == ChangesOf.PATCHES else ""
    files = f"{len(changes)} file{'' if len(changes) == 1 else 's'}"
    return f"± {files} +{added} −{removed}{_by_commands(changes)}{doubt}\n"


def _by_commands(changes: list[Message]) -> str:
    count = sum(change.get("by") == "command" for change in changes)
    words = "by a command" if count == 1 else "by commands"
    return "" if not count else f" ({words})" if count == len(changes) else f" ({count} {words})"


def _reasoning(item: Message) -> str:
    parts = at(item, "summary", list) or []
    paragraphs = [part for part in parts if isinstance(part, str) and part.strip()]
    return "".join(f"· {line}\n" for part in paragraphs for line in part.strip().split("\n"))


def _tool_call(item: Message) -> str:
    tool = ".".join(str(part) for part in (item.get("server") or item.get("namespace"), item.get("tool")) if part)
    error = at(item, "error", dict)
    reason = f": {error.get('message')}" if error is not None else ""
    return f"⚙ {tool} → {_end_status(item)}{reason}\n"


def _web_search(item: Message) -> str:
    query = item.get("query") or object_at(item, "action").get("query")
    return f"⌕ {query}\n" if query else ""


_ITEM_BLOCKS: dict[str, Callable[[Message], str]] = {
    "fileChange": _file_change,
    "reasoning": _reasoning,
    "mcpToolCall": _tool_call,
    "dynamicToolCall": _tool_call,
    "collabAgentToolCall": _tool_call,
    "webSearch": _web_search,
    "plan": lambda item: f"{item.get('text') or ''}\n",
    "contextCompaction": lambda _item: "· context compacted\n",
    "imageView": lambda item: f"· looked at {item.get('path')}\n",
    "imageGeneration": lambda item: f"· image {item.get('savedPath') or item.get('status')}\n",
    "enteredReviewMode": lambda item: f"· review: {item.get('review')}\n",
}


def item_block(item: Message) -> str:
    """The block of a completed item other than a command or a message; empty if it is not shown."""
    build = _ITEM_BLOCKS.get(str(item.get("type")))
    return build(item) if build else ""


def user_block(item: Message) -> str:
    """A user's message: `> use tabs`."""
    text = "\n".join(text_in(part.get("text")) for part in objects_in(item.get("content")))
    return "".join(f"> {line}\n" for line in text.split("\n"))


def plan_block(params: Message) -> str:
    """The steps of `turn/plan/updated`, one per line."""
    steps = objects_in(params.get("plan"))
    return "".join(f"{_STEP_MARKS.get(str(step.get('status')), '☐')} {step.get('step')}\n" for step in steps)


def error_block(params: Message) -> str:
    """A retry (`↻`) or the error that ends the turn (`✗`)."""
    error = at(params, "error", dict)
    mark = "↻" if params.get("willRetry") else "✗"
    return f"{mark} {readable_message(error)}\n" if error is not None else ""


def notice_block(method: str, params: Message) -> str:
    """A warning of Codex, in one line."""
    text: Any = params.get("message") or params.get("summary")
    if method == "model/rerouted":
        text = f"the model was changed from {params.get('fromModel')} to {params.get('toModel')}"
    return f"! {' '.join(str(text).split())}\n" if text else ""
