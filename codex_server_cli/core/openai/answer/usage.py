"""The token usage of one HTTP response, in OpenAI's terms. Exact or omitted: never an estimate.

It comes from `rawResponse/completed`. `thread/tokenUsage/updated` would be wrong: it comes after the results of a tool
call, reports a full context as used, and zeros for a response that ended early. A thread without raw events has no tool
calls, and no usage is reported if it fails: there `SpentTokens` reads that notification.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codex_server_cli.core.protocol.rpc import at, text_in

_COUNTS = (
    "inputTokens",
    "outputTokens",
    "totalTokens",
    "cachedInputTokens",
    "cacheWriteInputTokens",
    "reasoningOutputTokens",
)


class ChatUsage:
    """The sum over the model responses of one HTTP response: usually one, more if Codex answered a call itself."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._usages: list[Any] = []

    def add(self, response_id: Any, usage: Any) -> bool:
        """Add the usage of one `rawResponse/completed`; False if that response was already counted."""
        id_ = text_in(response_id)
        if id_ in self._ids:
            return False
        if id_:
            self._ids.add(id_)
        self._usages.append(usage)
        return True

    @property
    def document(self) -> dict[str, Any] | None:
        """The member `usage` of an answer; None if any model response had none."""
        counts = [_counts(usage) for usage in self._usages]
        if not counts or None in counts:
            return None
        prompt, completion, total, cached, written, reasoning = map(sum, zip(*filter(None, counts), strict=True))
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": total,
            "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
            "completion_tokens_details": {"reasoning_tokens": reasoning},
        }


def _counts(usage: Any) -> tuple[int, ...] | None:
    if not isinstance(usage, Mapping):
        return None
    return tuple(at(usage, name, int) or 0 for name in _COUNTS)
