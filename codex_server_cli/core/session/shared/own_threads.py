"""Which messages of a shared app-server are about our turn. Owns only that choice.

Some notifications about any thread go to every client (transport notes, section 3.3). Ours are those of our thread and
of the threads that its agents work in. A request without a thread is left to other clients: the first reply to it wins.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from codex_server_cli.core.protocol.rpc import Message, at, objects_in, params_of

_OF_ALL = frozenset({"account/rateLimits/updated"})
"""Notifications without a thread that still concern the turn."""

OPTED_OUT = ("thread/readState/changed", "thread/goal/cleared")
"""Unneeded notifications about every thread; `thread/started` is needed: it names the parent of an agent's thread."""


class OwnThreads:
    """Knows our thread, and learns those of its agents from messages."""

    def __init__(self) -> None:
        self._agents: set[str] = set()

    def has(self, message: Message, thread_id: str | None) -> bool:
        """Whether a message is for us: a reply, or about one of our threads.

        Args:
            thread_id: our thread; None before it is known.
        """
        method = message.get("method")
        if not isinstance(method, str):
            self._learn(_items_of_page(message))
            return True
        params = params_of(message)
        about = params.get("threadId")
        thread = at(params, "thread", dict)
        if thread is not None:
            about = thread.get("id")
            if self._is_own(thread.get("parentThreadId"), thread_id):
                self._agents.add(str(about))
        if not self._is_own(about, thread_id):
            return method in _OF_ALL
        if "item" in params:
            self._learn([params["item"]])
        return True

    def _is_own(self, id_: Any, thread_id: str | None) -> bool:
        return isinstance(id_, str) and (id_ == thread_id or id_ in self._agents)

    def _learn(self, items: Iterable[Any]) -> None:
        """Learn threads from items by which an agent talks to another one."""
        for item in objects_in(list(items)):
            named = [item.get("agentThreadId"), *(at(item, "receiverThreadIds", list) or ())]
            self._agents.update(id_ for id_ in named if isinstance(id_, str))


def _items_of_page(reply: Message) -> list[Any]:
    turns = objects_in(at(reply, "result.initialTurnsPage.data", list))
    return [item for turn in turns for item in objects_in(turn.get("items"))]
