"""Items of the Responses API as items for `thread/inject_items`, and back. Owns which types are supported.

Item ids are ours: Codex assigns its own, so none is passed on. A reference by id is replaced by the item.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from codex_server_cli.core.openai.content import content_parts
from codex_server_cli.core.openai.messages import MOST_MESSAGES, Item, ItemHistory, call_id_of
from codex_server_cli.core.openai.refusal import invalid
from codex_server_cli.core.openai.responses.document import Json
from codex_server_cli.core.openai.tools import NAMESPACE

TYPES = ("message", "function_call", "function_call_output", "reasoning", "item_reference")
INPUT_ROLES = ("user", "assistant", "system", "developer")
_PHASES = ("commentary", "final_answer")

Find = Callable[[str], Json | None]
"""Finds an item by its id, in the form of an output or `input_items`; None if it is unknown."""


def nothing_remembered(item_id: str) -> Json | None:
    """A `Find` without any items."""
    return None


def parse_input(value: Any, earlier: Sequence[Item] = (), find: Find = nothing_remembered) -> tuple[Item, ...]:
    """The items that `input` adds to a conversation, in the form for `thread/inject_items`.

    Args:
        value: text, or a list of items.
        earlier: the conversation that is continued, in the same form.
        find: resolves references.

    Raises:
        ApiError: 400, naming the item and its part.
    """
    listed = [{"role": "user", "content": value}] if isinstance(value, str) else value
    if not isinstance(listed, list):
        raise invalid("`input` must be text, or a list of items.", "input")
    if len(earlier) + len(listed) > MOST_MESSAGES:
        what = f"A conversation may have at most {MOST_MESSAGES} items; this one is longer."
        raise invalid(what, "input", "array_above_max_length")
    history = _Input(earlier, find)
    for index, item in enumerate(listed):
        history.add(item, "input" if isinstance(value, str) else f"input[{index}]")
    added = tuple(history.items[len(earlier) :])
    if not added:
        raise invalid("Nothing in `input` has any content.", "input")
    return added


class _Input(ItemHistory):
    """The items so far."""

    def __init__(self, items: Iterable[Item], find: Find) -> None:
        super().__init__(items)
        self._find = find

    def add(self, item: Any, param: str) -> None:
        if not isinstance(item, dict):
            raise invalid(f"`{param}` must be an object with `role` and `content`, or with `type`.", param)
        kind = item.get("type") or ("item_reference" if "id" in item and "role" not in item else "message")
        match kind:
            case "message":
                self._add_message(item, param)
            case "function_call":
                self.add_call(call_id_of(item.get("call_id"), f"{param}.call_id"), item, param)
            case "function_call_output":
                call_id = call_id_of(item.get("call_id"), f"{param}.call_id")
                self.add_result(call_id, item.get("output"), param, "output")
            case "reasoning":
                self._add_reasoning(item, param)
            case "item_reference":
                self._add_reference(item.get("id"), param)
            case _:
                what = f"`{param}.type` is {json.dumps(kind)[:80]}, but only {', '.join(TYPES)} are possible here."
                raise invalid(what, f"{param}.type", "unsupported_item")

    def _add_message(self, item: Item, param: str) -> None:
        role = item.get("role")
        match role:
            case "system" | "developer":
                self.say("developer", content_parts(item.get("content"), f"{param}.content"))
            case "user":
                self.say("user", content_parts(item.get("content"), f"{param}.content", may_show=True))
            case "assistant":
                phase = {"phase": item["phase"]} if item.get("phase") in _PHASES else {}
                self.say_as_assistant(item.get("content"), f"{param}.content", **phase)
            case _:
                raise invalid(f"`{param}.role` must be one of {', '.join(INPUT_ROLES)}.", f"{param}.role")

    def _add_reasoning(self, item: Item, param: str) -> None:
        """The model cannot use reasoning without encrypted content, so the stored item with its id is used instead."""
        if not item.get("encrypted_content"):
            item = self._found(item.get("id")) or {}
        encrypted = item.get("encrypted_content")
        if not isinstance(encrypted, str | None):
            raise invalid(f"`{param}.encrypted_content` must be text.", f"{param}.encrypted_content")
        if encrypted:
            summary = [{"type": "summary_text", "text": text} for text in _summary_in(item)]
            self.items.append({"type": "reasoning", "summary": summary, "encrypted_content": encrypted})

    def _add_reference(self, item_id: Any, param: str) -> None:
        found = self._found(item_id)
        if found is None and isinstance(item_id, str) and item_id.startswith("rs_"):
            return  # missing reasoning is allowed
        if found is None:
            message = f"No item {json.dumps(item_id)[:80]} is remembered here. Send the item itself"
            raise invalid(f"{message}, as clients do with `store: false`.", f"{param}.id", "item_not_found")
        self.add(found, param)

    def _found(self, item_id: Any) -> Json | None:
        found = self._find(item_id) if isinstance(item_id, str) else None
        return found if found is None or found.get("type") in TYPES[:-1] else None


def _summary_in(item: Item) -> list[str]:
    parts = item.get("summary")
    texts = [part.get("text") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    return [text for text in texts if isinstance(text, str)]


# --- back


def output_as_items(output: Iterable[Json]) -> tuple[Item, ...]:
    """The items of an output, in the form for `thread/inject_items`, without items that the model cannot use."""
    history = _Input((), nothing_remembered)
    for item in output:
        history.add(item, "output")
    return tuple(history.items)


def shown_input(items: Iterable[Item], seed: str) -> list[Json]:
    """Items in the form of `input_items`.

    Args:
        seed: makes their ids unique.
    """
    return [shown_item(item, f"{seed}i{index}") for index, item in enumerate(items)]


def shown_item(item: Item, id_: str) -> Json:
    """One item in the form of `input_items`.

    Args:
        id_: without the prefix for its type.
    """
    whole = {key: value for key, value in item.items() if (key, value) != ("namespace", NAMESPACE)}
    match item["type"]:
        case "message":
            parts = [_shown_part(part) for part in item["content"]]
            return {"id": f"msg_{id_}", "status": "completed", **whole, "content": parts}
        case "reasoning":
            return {"id": f"rs_{id_}", **whole}
        case "function_call":
            return {"id": f"fc_{id_}", "status": "completed", **whole}
    output = item["output"] if isinstance(item["output"], str) else [_shown_part(part) for part in item["output"]]
    return {"id": f"fco_{id_}", "status": "completed", **whole, "output": output}


def _shown_part(part: Json) -> Json:
    match part["type"]:
        case "output_text":
            return {**part, "annotations": [], "logprobs": []}
        case "input_image":
            return {**part, "detail": "auto"}
    return part
