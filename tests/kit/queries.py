"""A test in the app-server's part of a query: its replies, one after the other."""

from __future__ import annotations

from codex_server_cli.core.protocol.query import Ask, Listen, Query, T
from codex_server_cli.core.protocol.rpc import Message


def play(query: Query[T], *replies: Message) -> tuple[list[Ask | Listen], T]:
    """Send these replies and notifications, and return the query's requests and result."""
    wanted = [next(query)]
    for reply in replies:
        try:
            wanted.append(query.send(reply))
        except StopIteration as end:
            return wanted, end.value
    raise AssertionError(f"it wants to know more: {wanted[-1]}")


def play_query(query: Query[T], *replies: Message) -> tuple[list[Ask], T]:
    """The same with a query that never listens."""
    wanted, found = play(query, *replies)
    return [step for step in wanted if not isinstance(step, Listen)], found
