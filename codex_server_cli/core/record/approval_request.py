"""A request of Codex during a turn: its content, and the replies to it.

Owns the translation between the wire's server requests and a user's decisions: protocol notes, sections 6 and 12;
captures `approval_*`, `mcp_*` and `request_user_input_plan_mode`. Must never keep state: `approvals` does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from codex_server_cli.core.model.turn import format_time_ms
from codex_server_cli.core.protocol.rpc import Message, at, object_at, objects_in, params_of, text_in
from codex_server_cli.core.record.item_text import unwrapped


class RequestKind(StrEnum):
    """The kind of a request."""

    COMMAND = "command"  # to run it outside of the sandbox
    PATCH = "patch"  # to write files
    PERMISSIONS = "permissions"  # a wider sandbox
    MCP_TOOL = "mcp_tool"  # to call a tool of an MCP server
    QUESTION = "question"  # Codex asks the user
    ELICITATION = "elicitation"  # an MCP server asks the user


_KIND_OF_METHOD = {
    "item/commandExecution/requestApproval": RequestKind.COMMAND,
    "item/fileChange/requestApproval": RequestKind.PATCH,
    "item/permissions/requestApproval": RequestKind.PERMISSIONS,
    "item/tool/requestUserInput": RequestKind.QUESTION,
    "mcpServer/elicitation/request": RequestKind.ELICITATION,
}
_FORMS = ("form", "openai/form", "openaiForm")


class ApprovalRequest(NamedTuple):
    """One pending request.

    Attributes:
        id: the id that users see: the wire's id as text.
        wire_id: the wire's id, for the reply.
        params: as on the wire.
        changes: what a patch would change, from its earlier item.
        asked_ms, expires_ms: Unix times of its arrival, and of its automatic decline.
    """

    id: str
    wire_id: str | int
    kind: RequestKind
    params: Message
    changes: list[Message] | None
    asked_ms: int
    expires_ms: int

    def is_again_of(self, other: ApprovalRequest | None) -> bool:
        """Whether Codex sent `other` again: over a new connection it repeats pending requests (transport notes, 4)."""
        return other is not None and (self.wire_id, self.params) == (other.wire_id, other.params)

    @property
    def form(self) -> Message:
        """The fields of an elicitation: JSON Schemas by property; `{}` if it only asks for consent."""
        return object_at(self.params, "requestedSchema.properties")

    @property
    def wants_answers(self) -> bool:
        """Whether it needs an answer, rather than an approval."""
        return self.kind is RequestKind.QUESTION or (self.kind is RequestKind.ELICITATION and bool(self.form))

    @property
    def waited_for(self) -> str:
        """What it waits for, as text: `approval 0`, `reply 1`."""
        return f"{'reply' if self.wants_answers else 'approval'} {self.id}"

    @property
    def can_last(self) -> bool:
        """Whether it can be allowed for the rest of the turn (Codex's session is our app-server's lifetime)."""
        return self.kind not in (RequestKind.QUESTION, RequestKind.ELICITATION)

    @property
    def message(self) -> str:
        """The request in one line; in the sender's own words, if there are any."""
        return " ".join(self._message_text.split())

    @property
    def _message_text(self) -> str:
        params = self.params
        match self.kind:
            case RequestKind.COMMAND:
                return f"run {self._command}"
            case RequestKind.PATCH:
                paths = [text_in(change.get("path")) for change in self.changes or ()]
                return f"change {', '.join(paths) or 'files'}"
            case RequestKind.PERMISSIONS:
                return f"more permissions: {_permissions_text(params.get('permissions')) or 'none named'}"
            case RequestKind.QUESTION:
                return " / ".join(text_in(question.get("question")) for question in objects_in(params.get("questions")))
            case _:
                return text_in(params.get("message"))

    @property
    def _command(self) -> str:
        context = at(self.params, "networkApprovalContext", dict)
        if self.params.get("command") is None and context is not None:
            return f"what wants to reach {context.get('host')}"
        return unwrapped(text_in(self.params.get("command")))

    def to_json(self) -> dict[str, Any]:
        """The request as other shells see it; inapplicable values are null, so that every request has the same keys."""
        params, meta = self.params, object_at(self.params, "_meta")
        return {
            "id": self.id,
            "kind": str(self.kind),
            "message": self.message,
            "answer_with": "reply" if self.wants_answers else "approve",
            "asked_at": format_time_ms(self.asked_ms),
            "expires_at": format_time_ms(self.expires_ms),
            "can_last": self.can_last,
            "thread_id": params.get("threadId"),
            "item_id": params.get("itemId"),
            "reason": params.get("reason"),
            "command": params.get("command"),
            "cwd": params.get("cwd"),
            "network": params.get("networkApprovalContext"),
            "permissions": params.get("permissions") or params.get("additionalPermissions"),
            "changes": self.changes,
            "grant_root": params.get("grantRoot"),
            "server": params.get("serverName"),
            "tool": meta.get("tool_name"),
            "arguments": meta.get("tool_params"),
            "url": params.get("url"),
            "questions": params.get("questions") if self.kind is RequestKind.QUESTION else self._form_questions(),
        }

    def _form_questions(self) -> list[Message] | None:
        """A form's fields in the format of questions, so that both are shown and answered in the same way."""
        if not self.wants_answers:
            return None
        required = at(self.params, "requestedSchema.required", list) or []
        return [
            {
                "id": name,
                "header": text_in(field.get("title")) or name,
                "question": text_in(field.get("description")) or self.message,
                "type": field.get("type"),
                "options": [_option(*choice) for choice in form_choices(field)] or None,
                "isRequired": name in required,
                "isSecret": is_secret_field(field),
                "schema": field,
            }
            for name, field in self.form.items()
            if isinstance(field, dict)
        ]


def read_request(
    message: Message, open_items: dict[str, Message], now_ms: float, timeout_s: float
) -> ApprovalRequest | None:
    """Parse a server request; None for one that a user cannot answer.

    Args:
        open_items: `TurnRecord.items_asked_about`; a patch is described by its item, which precedes the request.
        timeout_s: how long it may wait for a decision.
    """
    kind = _KIND_OF_METHOD.get(message["method"])
    params = params_of(message)
    if kind is None or not isinstance(message["id"], str | int):
        return None
    if kind is RequestKind.ELICITATION:
        if at(params, "_meta.codex_approval_kind", str) == "mcp_tool_call":
            kind = RequestKind.MCP_TOOL
        elif params.get("mode") not in (*_FORMS, "url"):
            return None  # an identity check, or something new
    if kind is RequestKind.QUESTION and not objects_in(params.get("questions")):
        return None
    item = open_items.get(str(params.get("itemId"))) or {}
    changes = objects_in(item.get("changes")) if kind is RequestKind.PATCH else None
    asked_ms = int(now_ms)
    expires_ms = asked_ms + int(timeout_s * 1000)
    return ApprovalRequest(str(message["id"]), message["id"], kind, params, changes, asked_ms, expires_ms)


def is_secret_field(field: Message) -> bool:
    """Whether the JSON Schema of a form's field marks its value as secret, so that it is neither shown nor recorded."""
    return field.get("format") == "password" or field.get("writeOnly") is True


def form_choices(schema: Any) -> list[tuple[str, Any]]:
    """The choices of a form field, as labels and values; empty if it accepts any value.

    Args:
        schema: of the field, or of the items of a multiple choice: MCP has `enum` with or without `enumNames`, `oneOf`
            or `anyOf` of titled constants, and booleans.
    """
    if not isinstance(schema, dict):
        return []
    if schema.get("type") == "array":
        return form_choices(schema.get("items"))
    if schema.get("type") == "boolean":
        return [("yes", True), ("no", False)]
    for members in ("oneOf", "anyOf"):
        constants = [each for each in objects_in(schema.get(members)) if "const" in each]
        if constants:
            return [(text_in(each.get("title")) or str(each["const"]), each["const"]) for each in constants]
    values, names = schema.get("enum"), schema.get("enumNames")
    if not isinstance(values, list):
        return []
    has_names = isinstance(names, list) and len(names) == len(values) and all(isinstance(name, str) for name in names)
    return list(zip(names if has_names else map(str, values), values, strict=True))  # type: ignore[arg-type]


def _option(label: str, value: Any) -> Message:
    """A choice in the format of a question's option; the value is its description if the label differs."""
    is_named = label != str(value) and not isinstance(value, bool)
    return {"label": label, "description": str(value)} if is_named else {"label": label}


def _permissions_text(permissions: Any) -> str:
    """The permissions requested beyond the sandbox, with their paths; those without a value are not requested."""
    parts = []
    for name, value in (permissions if isinstance(permissions, dict) else {}).items():
        if not value or value == {"enabled": False}:
            continue
        if name == "fileSystem" and isinstance(value, dict):
            parts += [f"{access} {_paths_text(paths)}" for access, paths in value.items() if paths]
        elif value in (True, {"enabled": True}):
            parts.append(str(name))
        else:
            parts.append(f"{name} {json.dumps(value, ensure_ascii=False)}")
    return "; ".join(parts)


def _paths_text(paths: Any) -> str:
    is_plain = isinstance(paths, list) and all(isinstance(path, str) for path in paths)
    return ", ".join(paths) if is_plain else json.dumps(paths, ensure_ascii=False)


def without_nulls(value: Any) -> Any:
    """A JSON value without its null members."""
    if isinstance(value, Mapping):
        return {name: without_nulls(member) for name, member in value.items() if member is not None}
    return value


def granting(request: ApprovalRequest, *, is_for_session: bool) -> Message:
    """The wire's result that allows a request, once or for the rest of the session."""
    match request.kind:
        case RequestKind.COMMAND | RequestKind.PATCH:
            return {"decision": "acceptForSession" if is_for_session else "accept"}
        case RequestKind.PERMISSIONS:
            permissions = request.params.get("permissions") or {}
            return {"permissions": permissions, "scope": "session" if is_for_session else "turn"}
        case _:
            return {"action": "accept", "content": {}, "_meta": {"persist": "session"} if is_for_session else None}


def declining(request: ApprovalRequest) -> Message:
    """The wire's result that declines a request; the turn continues."""
    match request.kind:
        case RequestKind.COMMAND | RequestKind.PATCH:
            return {"decision": "decline"}
        case RequestKind.PERMISSIONS:
            return {"permissions": {}}
        case RequestKind.QUESTION:
            return {"answers": {}}
        case _:
            return {"action": "decline", "content": None, "_meta": None}
