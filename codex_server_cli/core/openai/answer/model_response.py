"""One response of the model, from its raw items: which calls are for the client, and the reasoning before them.

Only raw items have all calls of a response, in order: Codex 0.163.0 sends the second `item/tool/call` only after the
first has been answered, and 0.171.0 may send the last one after `rawResponse/completed`.

A call that Codex answers itself never reaches a client: one of another namespace, with an unknown name, or with
arguments that are not JSON.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from codex_server_cli.core.openai.tools import NAMESPACE, ClientCall
from codex_server_cli.core.protocol.rpc import text_in

_PRIVATE = "internal_chat_message_metadata_passthrough"
"""A member of raw items that is Codex's own."""


class ModelResponse:
    """The raw items of the current model response.

    Args:
        names: the tools that the client has.

    Attributes:
        reasoning_items: by call id, the `reasoning` items before that call, in the form for `thread/inject_items`. Only
            encrypted ones, because the model can use no others. They are kept from one response to the next.
    """

    def __init__(self, names: Collection[str]) -> None:
        self.reasoning_items: dict[str, tuple[dict[str, Any], ...]] = {}
        self._names = frozenset(names)
        self._calls: dict[str, ClientCall] = {}
        self._doubtful: dict[str, ClientCall] = {}
        self._dispatched: set[str] = set()
        self._reasoning: list[dict[str, Any]] = []

    @property
    def calls(self) -> tuple[ClientCall, ...]:
        """The calls for the client, in the model's order."""
        return tuple(self._calls.values())

    @property
    def is_dispatched(self) -> bool:
        """Whether Codex waits for the result of a call."""
        return not self._dispatched.isdisjoint(self._calls)

    def note(self, item: dict[str, Any]) -> None:
        """Take a raw item of our own turn."""
        type_, id_ = item.get("type"), text_in(item.get("call_id"))
        if type_ == "reasoning" and item.get("encrypted_content"):
            self._reasoning.append({name: value for name, value in item.items() if name != _PRIVATE})
        elif type_ == "function_call":
            self._note_call(id_, item)
        elif type_ == "function_call_output":  # Codex answered it itself: the client has not got it yet
            self._calls.pop(id_, None)

    def _note_call(self, id_: str, item: dict[str, Any]) -> None:
        call = ClientCall(id_, text_in(item.get("name")), text_in(item.get("arguments")))
        is_ours = item.get("namespace") == NAMESPACE and call.name in self._names and _is_json(call.arguments)
        (self._calls if is_ours else self._doubtful).setdefault(id_, call)
        if self._reasoning:
            self.reasoning_items[id_], self._reasoning = tuple(self._reasoning), []

    def note_dispatch(self, call_id: str) -> None:
        """Codex requests the result of a call (`item/tool/call`), which proves that it is for the client."""
        if call_id in self._doubtful:
            self._calls[call_id] = self._doubtful.pop(call_id)
        self._dispatched.add(call_id)

    def drop(self) -> None:
        """The response was cut off, and Codex retries the model request."""
        self._calls, self._doubtful, self._reasoning = {}, {}, []


def _is_json(arguments: str) -> bool:
    """Whether Codex can parse it, which accepts neither NaN nor lone surrogates."""
    try:
        json.dumps(json.loads(arguments), ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return False
    return True
