"""The query for Codex's own record of one turn: which pages are read, and when to stop. Requests nothing else."""

from __future__ import annotations

from typing import NamedTuple

from codex_server_cli.core.history.stored_turn import find_match
from codex_server_cli.core.protocol.query import Query, initialize
from codex_server_cli.core.protocol.rpc import Message, objects_in, readable_message

PAGE_TURNS = 5  # each with all its items: a page of long turns is megabytes
MAX_PAGES = 200


class StoredTurn(NamedTuple):
    """Codex's reply: our turn, or why there is none.

    Attributes:
        turn: the wire's turn with its items in full; None if the thread's record lacks it.
        refusal: Codex's error text, where it did not list the thread's turns.
    """

    turn: Message | None
    refusal: str | None = None


def find_stored_turn(thread_id: str, turn_id: str, version: str) -> Query[StoredTurn]:
    """Search a turn in Codex's record of its thread, newest first, reading no more pages than needed."""
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
