"""Playing the app-server's part in an inquiry: its replies, one after the other."""

from __future__ import annotations

from codex_server_cli.core.protocol.query import Ask, Listen, Query, T
from codex_server_cli.core.protocol.rpc import Message


def play(query: Query[T], *replies: Message) -> tuple[list[Ask | Listen], T]:
    """Give these replies and notifications, and return what was wanted and what came of it."""
    wanted = [next(query)]
    for reply in replies:
        try:
            wanted.append(query.send(reply))
        except StopIteration as end:
            return wanted, end.value
    raise AssertionError(f"it wants to know more: {wanted[-1]}")


def play_query(query: Query[T], *replies: Message) -> tuple[list[Ask], T]:
    """The same with an inquiry that never listens."""
    wanted, found = play(query, *replies)
    return [step for step in wanted if not isinstance(step, Listen)], found
