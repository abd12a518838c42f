"""Which thread or turn a request continues: keys of its terms and of each prefix of its history.

A miss is always correct, only slower; a false hit would answer another conversation. So the keys ignore only what
clients are known to change when they send an answer back: null for empty, text for a list of one part, the order and
spacing in a call's arguments, blanks at the ends of an answer, the text beside tool calls (commentary, which many
drop; the calls' ids identify that answer, but legacy functions have none: there it counts), and reasoning.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from codex_server_cli.core.openai.chat_request import ChatRequest
from codex_server_cli.core.openai.tools import NAMESPACE, ClientCall

Item = dict[str, Any]


class Trailing(NamedTuple):
    """The end of a conversation after its last tool calls.

    Attributes:
        n_before: how many items precede it; the last of them is a call. `History.prefix_keys()[n_before - 1]` is the
            key of a held turn with these calls.
        outputs: the output of each call, by call id: text, or a list of content items.
        after: the other items, in order: new messages of the user or developer.
    """

    n_before: int
    outputs: dict[str, Any]
    after: tuple[Item, ...]


class _Digest(NamedTuple):
    """The properties of an item that keys need."""

    hash: str
    is_said: bool
    is_call: bool
    is_thought: bool


class History(NamedTuple):
    """The conversation of a request, hashed once: that takes a second for a long one.

    Attributes:
        terms: `terms_key` of the request.
        turn: `turn_key` of it.
        anchor: the key of the prompt cache that its thread should share.
        model: as the request names it.
        digests: of its items.
        has_ids: whether its calls have ids.
    """

    terms: str
    turn: str
    anchor: str
    model: str | None
    digests: tuple[_Digest, ...]
    has_ids: bool

    def prefix_keys(self, added: Sequence[Item] = ()) -> list[str]:
        """The key of each prefix of the items followed by `added`, shortest first; each includes the terms.

        A thread is stored under the last key of its whole history: `prefix_keys(answer_items(texts, calls))[-1]`.
        """
        return self._keys_from(self.terms, added)

    def reasoning_keys(self, added: Sequence[Item] = ()) -> list[str]:
        """The same with the model instead of the terms: reasoning is reused only after exactly the same history.

        Reasoning is stored only by these keys. Call ids would be unsafe: a client may choose them, and would get the
        reasoning of another client's conversation.
        """
        return self._keys_from(_hash(self.model), added)

    def _keys_from(self, start: str, added: Sequence[Item]) -> list[str]:
        return list(_keys([*self.digests, *_digests(added, has_ids=self.has_ids)], start, has_ids=self.has_ids))


def history_of(request: ChatRequest) -> History:
    """The request's conversation, for keys."""
    has_ids = not request.uses_functions
    digests = tuple(_digests(request.items, has_ids=has_ids))
    anchor = _anchor_key(request, digests)
    return History(terms_key(request), turn_key(request), anchor, request.model, digests, has_ids)


def is_keepable(request: ChatRequest) -> bool:
    """Whether the request's thread may serve another request afterwards, or its turn be held open.

    A forced call leaves items in the thread that are not part of the conversation: the instruction, and the call as
    text. A thread must not be kept either if its answer was cut by a stop sequence or an interrupt.
    """
    return not request.is_choice_forced


def terms_key(request: ChatRequest) -> str:
    """A hash of what a thread cannot change: model, tools, verbosity, emulations, the client's own key.

    It includes effort and summary, because a turn without them inherits those of the previous turn.
    """
    tools = sorted(request.tools, key=lambda tool: str(tool["name"]))
    wishes = (request.closing, request.uses_functions)
    levers = (request.effort, request.summary, request.verbosity)
    return _hash(request.model, *levers, request.cache_key, tools, wishes, request.needs_raw_items)


def turn_key(request: ChatRequest) -> str:
    """A hash of what a running turn cannot change: the terms, and the output schema and the service tier."""
    return _hash(terms_key(request), request.output_schema, request.service_tier)


def _anchor_key(request: ChatRequest, digests: Sequence[_Digest]) -> str:
    """A hash that is equal for requests whose prompts have a common beginning, and should share a prompt cache.

    It uses the client's own key. Without one it is the beginning of the conversation, to the first message that is not
    a developer's: that is unchanged if a history is edited, branches, or is answered again.
    """
    if request.cache_key is not None:
        return _hash("key", request.model, request.cache_key)
    roles = [item.get("role") for item in request.items]
    n_begun = next((index for index, role in enumerate(roles, 1) if role != "developer"), len(roles))
    return _hash("begun", request.model, [digest.hash for digest in digests[:n_begun]])


def answer_items(texts: Sequence[str], calls: Sequence[ClientCall]) -> list[Item]:
    """An answer as the items that the client will send back.

    Args:
        texts: of its messages, in order.
    """
    return [*map(_message_item, filter(str.strip, texts)), *map(_call_item, calls)]


def trailing_results(request: ChatRequest) -> Trailing | None:
    """The tool results at the end of the conversation; None if there are none."""
    calls = [index for index, item in enumerate(request.items) if item["type"] == "function_call"]
    n_before = calls[-1] + 1 if calls else len(request.items)
    rest = request.items[n_before:]
    outputs = {item["call_id"]: item["output"] for item in rest if item["type"] == "function_call_output"}
    after = tuple(item for item in rest if item["type"] != "function_call_output")
    if not outputs or any(item.get("role") in (None, "assistant") for item in after):
        return None
    return Trailing(n_before, outputs, after)


def tool_result(output: Any) -> dict[str, Any]:
    """The reply to `item/tool/call` for one output of `Trailing`."""
    parts = [{"type": "input_text", "text": output}] if isinstance(output, str) else output
    return {"contentItems": [_content_item(part) for part in parts], "success": True}


def _content_item(part: Item) -> Item:
    if part["type"] == "input_image":
        return {"type": "inputImage", "imageUrl": part["image_url"]}
    return {"type": "inputText", "text": part["text"]}


def _message_item(text: str) -> Item:
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


def _call_item(call: ClientCall) -> Item:
    item = {"type": "function_call", "call_id": call.id, "namespace": NAMESPACE, "name": call.name}
    return {**item, "arguments": call.arguments}


def _digests(items: Sequence[Item], *, has_ids: bool) -> Iterator[_Digest]:
    for item in items:
        is_said, kind = item.get("role") == "assistant", item["type"]
        essence = _hash(_essence(item, has_ids=has_ids))
        yield _Digest(essence, is_said, kind == "function_call", kind == "reasoning")


def _keys(digests: Sequence[_Digest], key: str, *, has_ids: bool) -> Iterator[str]:
    for digest, is_beside in zip(digests, _beside_calls(digests), strict=True):
        if is_beside and has_ids:
            yield _hash(key, "beside")  # no thread is stored under it, and later keys do not depend on it
        else:
            key = _hash(key, digest.hash)
            yield key


def _beside_calls(digests: Sequence[_Digest]) -> list[bool]:
    """For each item whether it is reasoning, or text of an assistant's turn that continues with a call."""
    found, is_before_call = [], False
    for digest in reversed(digests):
        is_mute = digest.is_said or digest.is_thought
        found.append(digest.is_thought or (digest.is_said and is_before_call))
        is_before_call = digest.is_call or (is_mute and is_before_call)
    return found[::-1]


def _essence(item: Item, *, has_ids: bool) -> Any:
    """The part of an item that must be equal. Ids of legacy calls are ours, so they are left out."""
    call_id = item.get("call_id") if has_ids else ""
    if item["type"] == "function_call":
        return ("call", call_id, item["name"], _json_value(item["arguments"]))
    if item["type"] == "function_call_output":
        return ("output", call_id, item["output"])
    if item["type"] == "reasoning":
        return ("reasoning",)
    if item["role"] == "assistant":
        return ("assistant", "".join(part["text"] for part in item["content"]).strip())
    return (item["role"], item["content"])


def _json_value(text: str) -> Any:
    """The value, or the text itself if it has no comparable value."""
    try:
        value = json.loads(text)
        json.dumps(value)
    except (ValueError, RecursionError):
        return text
    return value


def _hash(*values: Any) -> str:
    return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
