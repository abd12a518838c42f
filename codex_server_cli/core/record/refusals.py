"""Actions of the agent that were not carried out: a patch that does not apply, a refused command, an unknown tool.

Codex reports most of them only to the model. The call and its output are then the only trace: raw response items, in
the format of the Responses API, from `rawResponseItem/completed` or the thread's session file. Observed on 0.163.0 and
0.171.0: an executed call of a command, a patch or an image has an item with the call's id; a refused one has none, and
its output has the reason. A command that the sandbox denies immediately after its start has no item either. In code
mode (`exec`) the calls are made from JavaScript, and only the script's output shows them. Owns what counts as refused,
and the wording.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from codex_server_cli.core.protocol.rpc import Message, at, object_at, objects_in, text_in
from codex_server_cli.core.record.item_text import unwrapped

MAX_REFUSALS = 50
"""How many are kept; all are shown."""

MAX_TEXT_CHARS = 300
_COMMAND_TOOLS = frozenset({"exec_command", "shell", "shell_command", "local_shell", "container.exec"})
_ITEM_TOOLS = _COMMAND_TOOLS | {"apply_patch", "view_image"}
"""An executed call of these has an item of the call's id."""

_SCRIPT_TOOLS = frozenset({"exec", "wait"})
_FAILURES = (
    r"apply_patch (?:verification )?failed|patch rejected|approval policy is|exec_command failed|"
    r"unsupported (?:custom tool )?call|failed to parse function arguments|unable to locate image|write_stdin failed"
)
_FAILURE_IN_SCRIPT = rf"(?m)(?:^|Error: )({_FAILURES})"
_BY_USER = r"rejected by user(?! approval)|^aborted"
"""Declined on request, or interrupted: reported by its item, or by the turn's end."""

_PATCH_PATH = r"\*\*\* (?:Add|Update|Delete) File: ([^\n\\`\"]+)"
_SCRIPT_COMMAND = r"(?s)\bcmd[\"']?\s*:\s*([\"'`])((?:\\.|(?!\1).)*)\1"
_OUTPUT_HEAD = r"(?s)Chunk ID: .*?\nOutput:\n"
_DENIAL_LINE = r"(?m)^.*: Read-only file system$"
_DENIED_WRITE = r"Read-only file system|Operation not permitted"
_DENIED_NETWORK = r"Could not resolve host|name resolution|Network is unreachable"
_UNSANDBOXED = ("dangerFullAccess", "externalSandbox")


class Refusal(NamedTuple):
    """One action that was not carried out.

    Attributes:
        what: `patch`, `command` or `tool`.
        subject: the paths of a patch, the command's beginning, the tool's name; empty if unknown.
        reason: Codex's text, in one line.
        is_of_item: an item reports it. A script's output may repeat the reason.
    """

    what: str
    subject: tuple[str, ...]
    reason: str
    is_of_item: bool = False

    @property
    def line(self) -> str:
        """The refusal in one line: `✗ patch refused: f.txt: …`."""
        subject = _one_line(", ".join(self.subject))
        return f"✗ {self.what} refused: " + ": ".join(part for part in (subject, self.reason) if part)

    def to_json(self) -> dict[str, Any]:
        """The refusal as stored in `result.json` and `live.json`."""
        subject = list(self.subject) if self.what == "patch" else next(iter(self.subject), None)
        return {"what": self.what, "paths" if self.what == "patch" else self.what: subject, "reason": self.reason}


class Refusals:
    """The refusals of one turn.

    Attributes:
        found: the first `MAX_REFUSALS`, oldest first.
    """

    def __init__(self) -> None:
        self.found: list[Refusal] = []
        self._calls: dict[str, Message] = {}  # raw calls without their output

    def add_raw(self, raw: Any) -> Refusal | None:
        """Take a raw response item: a call, or its output, which shows whether the call was refused."""
        if is_call(raw):
            self._calls[str(raw.get("call_id"))] = raw
        elif is_output(raw):
            call = self._calls.pop(str(raw.get("call_id")), None)
            refusal = refusal_of(call, raw) if call is not None else None
            if refusal is not None and refusal.reason not in [each.reason for each in self.found if each.is_of_item]:
                return self._keep(refusal)
        return None

    def add_item(self, item: Message, settings: Message) -> None:
        """Take a completed item, which is shown itself, so that its refusal is only recorded.

        Args:
            settings: see `denial_of`.
        """
        if item.get("type") == "fileChange" and item.get("status") in ("failed", "declined"):
            paths = tuple(text_in(change.get("path")) for change in objects_in(item.get("changes")))
            self._keep(Refusal("patch", paths, str(item["status"]), is_of_item=True))
        elif item.get("type") == "commandExecution":
            reason = "declined" if item.get("status") == "declined" else denial_of(item, settings)
            if reason is not None:
                command = _cut(unwrapped(text_in(item.get("command"))))
                self._keep(Refusal("command", (command,), reason, is_of_item=True))

    def _keep(self, refusal: Refusal | None) -> Refusal | None:
        if refusal is not None and len(self.found) < MAX_REFUSALS:
            self.found.append(refusal)
        return refusal

    def to_json(self) -> list[dict[str, Any]]:
        """The kept refusals, as JSON."""
        return [refusal.to_json() for refusal in self.found]


def is_call(raw: Any) -> bool:
    """Whether a raw item is a call of a tool."""
    return isinstance(raw, dict) and text_in(raw.get("type")).endswith("_call") and "call_id" in raw


def is_output(raw: Any) -> bool:
    """Whether a raw item is the output of a call."""
    return isinstance(raw, dict) and text_in(raw.get("type")).endswith("_call_output") and "call_id" in raw


def denial_of(item: Message, settings: Message) -> str | None:
    """The output line in which a failed command reports that its sandbox denied it; None without one.

    Args:
        settings: `TurnRecord.settings`; without a policy in them, a sandbox is assumed.
    """
    policy = at(settings, "sandboxPolicy", dict) or object_at(settings, "sandbox")
    if item.get("status") != "failed" or policy.get("type") in _UNSANDBOXED:
        return None
    for line in text_in(item.get("aggregatedOutput")).split("\n"):
        if re.search(_DENIED_WRITE, line) or (
            policy.get("networkAccess") is False and re.search(_DENIED_NETWORK, line)
        ):
            return _one_line(line)
    return None


def refusal_of(call: Message, output: Message) -> Refusal | None:
    """The refusal of a call that no item reports; None if it was executed, or a user declined it.

    Args:
        call, output: raw response items.
    """
    text, name = _output_text(output), text_in(call.get("name")) or "local_shell"
    denial = re.search(_DENIAL_LINE, text)
    if name in _SCRIPT_TOOLS:
        found = re.search(_FAILURE_IN_SCRIPT, text)
        reason = text[found.start(1) :] if found else denial[0] if denial else ""
    elif name in _ITEM_TOOLS or re.match(_FAILURES, text):
        reason = denial[0] if denial else re.sub(_OUTPUT_HEAD, "", text)
    else:
        return None
    if not reason.strip() or re.search(_BY_USER, reason):
        return None
    return _classify(call, name, _one_line(reason))


def _classify(call: Message, name: str, reason: str) -> Refusal:
    asked = text_in(call.get("input")) or _arguments_text(call)
    is_of_command = reason.startswith(("approval policy", "exec_command")) or re.match(_DENIAL_LINE, reason) is not None
    if "*** Begin Patch" in asked and not is_of_command:
        return Refusal("patch", tuple(dict.fromkeys(path.strip() for path in re.findall(_PATCH_PATH, asked))), reason)
    if name == "apply_patch":
        return Refusal("patch", (), reason)
    if name in _COMMAND_TOOLS:
        return Refusal("command", (_cut(asked),) if asked else (), reason)
    command = re.search(_SCRIPT_COMMAND, asked) if is_of_command else None
    return Refusal("command", (_cut(command[2]),), reason) if command else Refusal("tool", (name,), reason)


def _arguments_text(call: Message) -> str:
    """The command line that a call would have run; else its arguments verbatim."""
    arguments: Any = call.get("action") or text_in(call.get("arguments"))
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):  # the model's own text: it may be anything
            return str(arguments)
    if not isinstance(arguments, dict):
        return ""
    command = arguments.get("cmd") or arguments.get("command") or arguments.get("input")
    if isinstance(command, list):
        import shlex  # few turns have a refused call

        return unwrapped(shlex.join(map(str, command)))
    return text_in(command)


def _output_text(output: Message) -> str:
    value = output.get("output")
    return "\n".join(text_in(part.get("text")) for part in objects_in(value)) if isinstance(value, list) else str(value)


def _one_line(text: str) -> str:
    return _cut(" ".join(text.split()))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT_CHARS else text[: MAX_TEXT_CHARS - 1] + "…"
