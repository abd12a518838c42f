"""Short conversations that only ask. Owns what is asked and when enough is known; must never do the asking.

An inquiry is a generator: it yields a request and is sent the whole reply, or a `Listen` and is sent the notification;
it returns what it found out. Nothing that it asks loads, resumes or writes a thread.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple, TypeVar

from codex_server_cli.core.failures import readable_message
from codex_server_cli.core.rpc import Message, objects_in
from codex_server_cli.core.stored_turn import find_match

T = TypeVar("T")
Ask = tuple[str, Message]
"""A method and its parameters."""


class Listen(NamedTuple):
    """The wish to hear the next notification of a method, be it that it came already.

    What came before it is forgotten. After `timeout_s` without it the inquiry is sent `{}`; None waits as long as the
    whole inquiry may.
    """

    method: str
    timeout_s: float | None = None


Query = Generator[Ask | Listen, Message, T]

PAGE_TURNS = 5  # each with all its items: a page of long turns is megabytes
MAX_PAGES = 200


def initialize(version: str) -> Query[str | None]:
    """Shake hands; the app-server's user agent, None where it refused."""
    client = {"name": "codex_server", "title": "codex-server", "version": version}
    result = (yield "initialize", {"clientInfo": client}).get("result")
    return str(result.get("userAgent")) if isinstance(result, dict) else None


class StoredTurn(NamedTuple):
    """What Codex answered: our turn, or why there is none.

    Attributes:
        turn: the wire's turn with its items in full; None where the thread's record does not have it.
        refusal: Codex's own words, where it would not list the thread's turns.
    """

    turn: Message | None
    refusal: str | None = None


def find_stored_turn(thread_id: str, turn_id: str, version: str) -> Query[StoredTurn]:
    """Look for a turn in Codex's record of its thread, newest first, and read no more pages than that takes."""
    if (yield from initialize(version)) is None:
        return StoredTurn(None, "Codex refused the conversation")
    params: Message = {"threadId": thread_id, "limit": PAGE_TURNS, "itemsView": "full"}
    for _ in range(MAX_PAGES):
        reply = yield "thread/turns/list", params
        result = reply.get("result")
        if not isinstance(result, dict):
            error = reply.get("error")
            return StoredTurn(None, readable_message(error if isinstance(error, dict) else {}))
        turn, cursor = find_match(objects_in(result.get("data")), turn_id), result.get("nextCursor")
        if turn is not None or not cursor:
            return StoredTurn(turn)
        params = {**params, "cursor": cursor}
    return StoredTurn(None)
