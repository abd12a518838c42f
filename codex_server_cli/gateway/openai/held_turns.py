"""Turns that wait for the results of a client's tools, and the reasoning that led to tool calls.

Owns: which held turn a request's results belong to, and how long it is held; which reasoning is remembered.
Never here: keys (`core.openai.conversation`), continuing a turn (`opening`).

A held turn keeps the model's reasoning and the prompt cache. If it is gone (its deadline has passed, the history was
edited, the app-server drains), the conversation is injected into a fresh thread, with the reasoning before its calls.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from codex_server_cli.gateway.openai.client_thread import ClientTurn

SIZE = 64
LOOK_S = 1.0
"""How often to check whether a held turn's app-server drains: it waits for its turns."""
REASONING_SIZE = 256
"""For how many calls reasoning is remembered: some kilobytes each."""


class _HeldTurn(NamedTuple):
    turn: ClientTurn
    key: str
    timer: asyncio.TimerHandle


class HeldTurns:
    """Turns by the set of calls that each waits for.

    Args:
        end: called with every turn whose results did not come in time; must interrupt it, as nothing else ends it.
        size: how many are held; the oldest is ended first.
        deadline_s: how long each is held.
        look_s: how often to check whether its app-server drains; then it is ended, too.
    """

    def __init__(
        self, end: Callable[[ClientTurn], None], *, deadline_s: float, size: int = SIZE, look_s: float = LOOK_S
    ) -> None:
        self._end, self._size, self._deadline_s, self._look_s = end, size, deadline_s, look_s
        self._looking: asyncio.TimerHandle | None = None
        self._turns: OrderedDict[frozenset[str], _HeldTurn] = OrderedDict()

    def __len__(self) -> int:
        return len(self._turns)

    def hold(self, call_ids: Collection[str], key: str, turn: ClientTurn) -> None:
        """Hold a turn until a request with this key brings the results of these calls."""
        calls = frozenset(call_ids)
        self._drop(calls)
        timer = asyncio.get_running_loop().call_later(self._deadline_s, self._drop, calls)
        self._turns[calls] = _HeldTurn(turn, key, timer)
        while len(self._turns) > self._size:
            self._drop(next(iter(self._turns)))
        self._look_later()

    def take(self, call_ids: Collection[str], key: str) -> ClientTurn | None:
        """Take out the turn that waits for exactly these calls.

        A turn with another key stays: the request's history or settings differ, so it must not continue that turn.
        """
        calls = frozenset(call_ids)
        held = self._turns.get(calls)
        if held is None or held.key != key:
            return None
        held.timer.cancel()
        del self._turns[calls]
        return held.turn

    def clear(self) -> None:
        """End all."""
        for calls in list(self._turns):
            self._drop(calls)

    def _look_later(self) -> None:
        if self._turns and self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(self._look_s, self._look)

    def _look(self) -> None:
        self._looking = None
        for calls in [calls for calls, held in self._turns.items() if held.turn.thread.is_draining]:
            self._drop(calls)
        self._look_later()

    def _drop(self, calls: frozenset[str]) -> None:
        if (held := self._turns.pop(calls, None)) is not None:
            held.timer.cancel()
            self._end(held.turn)


class KeptReasoning:
    """Reasoning items before tool calls, by the history up to them; the oldest are evicted."""

    def __init__(self, size: int = REASONING_SIZE) -> None:
        self._size = size
        self._kept: OrderedDict[str, Sequence[dict[str, Any]]] = OrderedDict()

    def keep(self, reasoning: Mapping[str, Sequence[dict[str, Any]]]) -> None:
        """Remember the reasoning before each of these calls, by `History.reasoning_keys` at the call."""
        for key, items in reasoning.items():
            self._kept[key] = items
            self._kept.move_to_end(key)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)

    def put_before_calls(self, items: Sequence[dict[str, Any]], keys: Sequence[str]) -> list[dict[str, Any]]:
        """The items of a conversation, with remembered reasoning before each call that has none.

        Args:
            keys: `History.reasoning_keys` of the items.
        """
        woven: list[dict[str, Any]] = []
        for item, key in zip(items, keys, strict=True):
            is_bare = not woven or woven[-1].get("type") != "reasoning"
            if item.get("type") == "function_call" and is_bare:
                woven += self._kept.get(key, ())
            woven.append(item)
        return woven
