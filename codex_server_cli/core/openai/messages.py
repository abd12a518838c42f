"""Messages of a chat as Responses items for `thread/inject_items`. Owns roles, and the pairing of calls with results.

Clients truncate their history anywhere, so it is repaired here, not refused upstream: a result without its call is
dropped (Codex would drop it too), a call without a result stays (Codex adds the output "aborted"). What Codex would
silently lose is mapped (`system` is sent as `developer`) or refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from codex_server_cli.core.openai.content import content_parts, output_of
from codex_server_cli.core.openai.refusal import invalid
from codex_server_cli.core.openai.tools import NAMESPACE, TOOL_NAME

Item = dict[str, Any]

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
MOST_MESSAGES = 10_000
"""OpenAI takes 2048. Codex echoes each as a notification, and drops a connection with 32 768 unread ones."""
_MAX_CALL_ID = 64  # of the Responses API; other providers' ids are longer


def parse_messages(messages: Any) -> tuple[Item, ...]:
    """The items of a conversation, in order.

    Raises:
        ApiError: 400, naming the message and its part.
    """
    if not isinstance(messages, list) or not messages:
        raise invalid("`messages` must be a list of at least one message.", "messages")
    history = _MessageItems()
    for index, message in enumerate(messages):
        history.add(message, f"messages[{index}]")
        if max(index + 1, len(history.items)) > MOST_MESSAGES:
            what = f"`messages` may have at most {MOST_MESSAGES} messages and calls; this list is longer."
            raise invalid(what, "messages", "array_above_max_length")
    if not history.items:
        raise invalid("None of the messages has any content.", "messages")
    return tuple(history.items)


def developer_item(text: str) -> Item:
    """A developer message."""
    return _message("developer", [{"type": "input_text", "text": text}])


class ItemHistory:
    """The items of a conversation so far, and which of its calls have a result.

    Args:
        items: of the conversation that is continued.

    Attributes:
        items: all of them.
    """

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self.items: list[Item] = list(items)
        self._calls = {item["call_id"] for item in self.items if item["type"] == "function_call"}
        self._answered = {item["call_id"] for item in self.items if item["type"] == "function_call_output"}

    def say(self, role: str, parts: list[Item], **more: Any) -> None:
        """Add a message, unless it is empty."""
        if parts:
            self.items.append({**_message(role, parts), **more})

    def say_as_assistant(self, content: Any, param: str, **more: Any) -> None:
        """Add a message of the assistant, unless it is blank; raises `ApiError`."""
        parts = content_parts(content, param, kind="output_text")
        if any(part["text"].strip() for part in parts):
            self.say("assistant", parts, **more)

    def add_call(self, call_id: str, function: Any, param: str) -> str:
        """Add a tool call; returns its name.

        Args:
            function: an object with `name` and `arguments`.

        Raises:
            ApiError: `function` is invalid, or a call has this id already.
        """
        if not isinstance(function, dict):
            raise invalid(f"`{param}` must be an object with `name` and `arguments`.", param)
        if call_id in self._calls:
            raise invalid(f"Two tool calls have the id {call_id}.", param, "duplicate_tool_call_id")
        self._calls.add(call_id)
        name = _name(function.get("name"), f"{param}.name")
        arguments = _arguments(function.get("arguments"), f"{param}.arguments")
        call = {"type": "function_call", "call_id": call_id, "namespace": NAMESPACE}
        self.items.append({**call, "name": name, "arguments": arguments})
        return name

    def add_result(self, call_id: str, content: Any, param: str, within: str) -> None:
        """Add the result of a call, if that call exists; raises `ApiError`.

        Args:
            content: text, or parts.
            param: the path of the object that has it as its member `within`.
        """
        output = output_of(content_parts(content, f"{param}.{within}", may_show=True))
        if call_id in self._answered:
            raise invalid(f"Two messages answer the tool call {call_id}.", param, "duplicate_tool_call_id")
        if call_id in self._calls:
            self._answered.add(call_id)
            self.items.append({"type": "function_call_output", "call_id": call_id, "output": output})


class _MessageItems(ItemHistory):
    """The items of the messages of a chat."""

    def __init__(self) -> None:
        super().__init__()
        self._legacy: dict[str, str] = {}  # name of a legacy function → the id given to its last call

    def add(self, message: Any, param: str) -> None:
        if not isinstance(message, dict):
            raise invalid(f"`{param}` must be an object with `role` and `content`.", param)
        role = message.get("role")
        if role in ("system", "developer"):
            self.say("developer", content_parts(message.get("content"), f"{param}.content"))
        elif role == "user":
            self.say("user", content_parts(message.get("content"), f"{param}.content", may_show=True))
        elif role == "assistant":
            self._add_assistant(message, param)
        elif role == "tool":
            call_id = call_id_of(message.get("tool_call_id"), f"{param}.tool_call_id")
            self.add_result(call_id, message.get("content"), param, "content")
        elif role == "function":
            name = _name(message.get("name"), f"{param}.name")
            self.add_result(self._legacy.pop(name, ""), message.get("content"), param, "content")
        else:
            raise invalid(f"`{param}.role` must be one of {', '.join(ROLES)}.", f"{param}.role")

    def _add_assistant(self, message: Item, param: str) -> None:
        if message.get("audio") is not None:
            raise invalid("Spoken answers are not kept here.", f"{param}.audio", "unsupported_content")
        self.say_as_assistant(message.get("content") or message.get("refusal"), f"{param}.content")
        calls = message.get("tool_calls")
        if not isinstance(calls, list | None):
            raise invalid(f"`{param}.tool_calls` must be a list.", f"{param}.tool_calls")
        for index, call in enumerate(calls or []):
            self._add_tool_call(call, f"{param}.tool_calls[{index}]")
        if message.get("function_call") is not None and not calls:
            call_id = f"call_legacy_{len(self._calls)}"
            name = self.add_call(call_id, message["function_call"], f"{param}.function_call")
            self._legacy[name] = call_id

    def _add_tool_call(self, call: Any, param: str) -> None:
        if not isinstance(call, dict) or call.get("type") not in (None, "function"):
            raise invalid(f"`{param}` must be a call of type `function`.", param)
        self.add_call(call_id_of(call.get("id"), f"{param}.id"), call.get("function"), f"{param}.function")


def _message(role: str, parts: list[Item]) -> Item:
    return {"type": "message", "role": role, "content": parts}


def call_id_of(value: Any, param: str) -> str:
    """A call's id, shortened if it is too long, in the same way for a call and its result."""
    if not isinstance(value, str) or not value:
        raise invalid(f"`{param}` must be the id of a tool call.", param)
    return value if len(value) <= _MAX_CALL_ID else f"call_{sha256(value.encode()).hexdigest()[:48]}"


def _name(value: Any, param: str) -> str:
    if not isinstance(value, str) or not TOOL_NAME.fullmatch(value):
        raise invalid(f"`{param}` must be a name of 1 to 64 letters, digits, `_` and `-`.", param)
    return value


def _arguments(value: Any, param: str) -> str:
    """Arguments as JSON text; some clients send the object itself, or nothing."""
    if isinstance(value, str | None):
        return value if value and value.strip() else "{}"
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    raise invalid(f"`{param}` must be JSON text.", param)
