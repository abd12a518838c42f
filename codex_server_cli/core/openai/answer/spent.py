"""The usage of a thread without raw events: a fork of an anchor. Owns how `thread/tokenUsage/updated` is read.

It comes once for each response of the model, with the total of the thread and the last response's usage, and may be
repeated. It is converted to the `rawResponse/completed` that other threads have, so that other code handles only that.
If the model's context is full, it reports the whole context as used: the turn fails then, and no usage is reported.
"""

from __future__ import annotations

from codex_server_cli.core.protocol.rpc import Message, at, object_at, params_of

_COUNTS = ("inputTokens", "outputTokens", "totalTokens", "cachedInputTokens", "reasoningOutputTokens")


class SpentTokens:
    """The tokens that a thread has used so far."""

    def __init__(self) -> None:
        self._total = (0,) * len(_COUNTS)

    def as_raw(self, message: Message) -> Message:
        """The message; the usage of a new model response is converted to the equivalent raw event.

        Its usage is null if the thread has used more than that response: then one was missed.
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
