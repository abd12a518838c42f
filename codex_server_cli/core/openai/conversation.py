"""Which thread or turn a request continues: keys of its terms and of each prefix of its history.

A miss is always correct, only dearer; a false hit would be an answer to another conversation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from codex_server_cli.core.openai.chat_request import ChatRequest
from codex_server_cli.core.openai.tools import ClientCall


class Trailing(NamedTuple):
    """The end of a conversation after its last tool calls.

    Attributes:
        n_before: how many items stand before it; the last of them is a call. `prefix_keys(request)[n_before - 1]` is
            the key under which a held turn with these calls is filed.
        outputs: the output of each call, by call id: text, or a list of content items.
        after: the other items, in order: what the user said meanwhile.
    """

    n_before: int
    outputs: dict[str, Any]
    after: tuple[dict[str, Any], ...]


def is_keepable(request: ChatRequest) -> bool:
    """Whether the request's thread may serve another request afterwards, or its turn be held open."""
    raise NotImplementedError


def terms_key(request: ChatRequest) -> str:
    """A hash of what a thread cannot change: model, tools, verbosity, emulations, the client's own key."""
    raise NotImplementedError


def turn_key(request: ChatRequest) -> str:
    """A hash of what a running turn cannot change: the terms, and schema, effort, summary and service tier."""
    raise NotImplementedError


def prefix_keys(request: ChatRequest, added: Sequence[dict[str, Any]] = ()) -> list[str]:
    """The key of each prefix of `items` and then `added`, shortest first, each with the terms in it.

    A thread is filed under the last key of its whole history: `prefix_keys(request, answer_items(text, calls))[-1]`.
    """
    raise NotImplementedError


def answer_items(text: str, calls: Sequence[ClientCall]) -> list[dict[str, Any]]:
    """An answer as the items that it will be when the client sends it back."""
    raise NotImplementedError


def trailing_results(request: ChatRequest) -> Trailing | None:
    """The tool results at the end of the conversation; None where it does not end in any."""
    raise NotImplementedError


def tool_result(output: Any) -> dict[str, Any]:
    """The reply to `item/tool/call` for one output of `Trailing`."""
    raise NotImplementedError
