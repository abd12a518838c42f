"""The usage of a thread that has no raw events: a fork of an anchor. Owns how `thread/tokenUsage/updated` is read.

It comes once for each response of the model, with the sum of the thread and its last addend, and may be repeated. It is
made the `rawResponse/completed` that any other thread has, so that nobody else need know. Where the model's context is
full it says that all of that was spent: the turn fails then, and no usage is told.
"""

from __future__ import annotations

from codex_server_cli.core.protocol.rpc import Message, at, object_at, params_of

_COUNTS = ("inputTokens", "outputTokens", "totalTokens", "cachedInputTokens", "reasoningOutputTokens")


class SpentTokens:
    """What a thread has spent so far."""

    def __init__(self) -> None:
        self._total = (0,) * len(_COUNTS)

    def as_raw(self, message: Message) -> Message:
        """The message; where it says that a model response was counted, as the raw event that says the same.

        Its usage is null where the thread has spent more than that response: one was missed.
        """
        if message.get("method") != "thread/tokenUsage/updated":
            return message
        params = params_of(message)
        total, last = (_counts(object_at(params, f"tokenUsage.{name}")) for name in ("total", "last"))
        if total == self._total:
            return message
        is_whole = total == tuple(map(sum, zip(self._total, last, strict=True)))
        self._total = total
        usage = object_at(params, "tokenUsage.last") if is_whole else None
        told = {"threadId": params.get("threadId"), "turnId": params.get("turnId"), "usage": usage}
        return {"method": "rawResponse/completed", "params": told}


def _counts(usage: Message) -> tuple[int, ...]:
    return tuple(at(usage, name, int) or 0 for name in _COUNTS)
