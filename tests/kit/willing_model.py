"""A scripted model that does what is asked in plain words: for the suites of others, whose prompts know no rules.

It gives an answer that fits the schema it was sent, else calls a tool where it has one, else echoes; the rules of
`chat_model` hold as well. Owns: what fits a schema, and the law of the prompt-cache key. Never here: the suites.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from codex_server_cli.demo import replies
from codex_server_cli.demo.parts import Answer, Message, Reply, ToolCall
from codex_server_cli.demo.request import Request
from tests.kit.chat_model import USAGE, ChatModel, client_tools_of, text_of, tools_of

_RULES = ("say", "think", "call", "json", "fail", "refuse", "cut", "drop", "count", "hold", "wait", "note")
_KEYS_ASKED_FOR = re.compile(r"'(\w+)'")


class WillingModel(ChatModel):
    """See the module. `problems` also has each conversation that went on under another prompt-cache key."""

    def __init__(self) -> None:
        super().__init__()
        self._answered: list[_Answered] = []

    def __call__(self, request: Request) -> Reply:
        """See `ChatModel`."""
        reply = super().__call__(request)
        with self._lock:
            self.problems += self._lost_keys(request.body)
            if isinstance(reply, Answer):
                self._answered.append(_Answered.of(request.body, reply))
        return reply

    def _lost_keys(self, body: dict[str, Any]) -> list[str]:
        """The law of the key: a request that goes on after an answer has the key of the request that was answered.

        An answer is gone on from once: after that its thread is at another place.
        """
        before = [each for each in self._answered if each.is_continued_by(body)]
        of_this_key = [each for each in before if each.key == body["prompt_cache_key"]]
        for each in of_this_key or before:
            self._answered.remove(each)
        lost = bool(before) and not of_this_key
        return [f"a conversation that went on under another prompt-cache key: {before}"] if lost else []

    def _by_rule(self, text: str, body: dict[str, Any]) -> Reply:
        if text.partition(" ")[0] in _RULES:
            return super()._by_rule(text, body)
        schema = body.get("text", {}).get("format", {}).get("schema")
        tools = client_tools_of(body)
        if schema is not None:
            return replies.reply(replies.say(json.dumps(fitting(schema, text)), chunks=3), usage=USAGE)
        if tools:
            tool = next((each for each in tools if each["name"] in text), tools[0])
            arguments = fitting(tool["parameters"], text)
            return replies.reply(*self._calls([f"call {tool['name']} {json.dumps(arguments)}"]), usage=USAGE)
        if "JSON" in text:
            value = dict.fromkeys(_KEYS_ASKED_FOR.findall(text), "as asked")
            return replies.reply(replies.say(json.dumps(value), chunks=3), usage=USAGE)
        return super()._by_rule(text, body)


class _Answered(NamedTuple):
    """A request that the model has answered; another that begins like it, and goes on with the answer, continues it."""

    key: str
    tools: list[tuple[str, str]]
    items: list[dict[str, Any]]
    text: str
    calls: frozenset[str | None]

    @classmethod
    def of(cls, body: dict[str, Any], answer: Answer) -> _Answered:
        text = "".join(part.text for part in answer.parts if isinstance(part, Message))
        calls = frozenset(part.call_id for part in answer.parts if isinstance(part, ToolCall))
        return cls(body["prompt_cache_key"], tools_of(body), _conversation(body), text, calls)

    def is_continued_by(self, body: dict[str, Any]) -> bool:
        items, n = _conversation(body), len(self.items)
        after = next(iter(items[n:]), None)
        if after is None or items[:n] != self.items or tools_of(body) != self.tools:
            return False
        if after["type"] == "function_call":
            return after["call_id"] in self.calls
        return after.get("role") == "assistant" and text_of(after) == self.text


def _conversation(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The items of a request without what differs between two threads that say the same."""
    items = [each for each in body["input"] if each["type"] not in ("additional_tools", "reasoning")]
    return [{name: value for name, value in each.items() if name != "id"} for each in items]


def fitting(schema: dict[str, Any], text: str) -> Any:
    """A value that fits a schema, from the words of a text: its first number, and what it has in quotes.

    Args:
        schema: with `$defs` at its top, if anywhere.
        text: of the user.
    """

    def fit(part: dict[str, Any]) -> Any:
        match part:
            case {"$ref": ref}:
                return fit(schema["$defs"][ref.rpartition("/")[2]])
            case {"const": value} | {"enum": [value, *_]} | {"default": value}:
                return value
            case {"anyOf": [first, *_]} | {"allOf": [first, *_]}:
                return fit(first)
        kind = part.get("type")
        if kind == "object" or "properties" in part:
            return {name: fit(each) for name, each in part.get("properties", {}).items()}
        if kind == "array":
            return [fit(part.get("items", {"type": "string"}))]
        return _SCALARS[kind[0] if isinstance(kind, list) else kind](text)

    return fit(schema)


def _number_in(text: str) -> int:
    found = re.search(r"-?\d+", text)
    return int(found[0]) if found else 1


def _quoted_in(text: str) -> str:
    found = re.search(r"['\"](.+?)['\"]", text)
    return found[1] if found else "Pirate"


_SCALARS: dict[str | None, Callable[[str], Any]] = {
    "integer": _number_in,
    "number": _number_in,
    "string": _quoted_in,
    "boolean": lambda _: True,
    "null": lambda _: None,
    None: _quoted_in,
}
