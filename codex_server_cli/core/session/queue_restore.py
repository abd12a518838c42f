"""Putting queued messages back into the queue of their thread. Owns which are missing there, and their order.

Asked of an app-server that has nothing loaded: there a message stays in the queue. Nothing is put back twice: Codex
itself takes two messages with one `clientUserMessageId` (observed on 0.163.0 and 0.171.0), so what stands in the queue
and what was answered in the thread is looked at first.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from codex_server_cli.core.protocol.query import Query
from codex_server_cli.core.protocol.rpc import Message, at, object_at, objects_in, readable_message, text_in
from codex_server_cli.core.session.queued_messages import LIST, shown

_MOST_PAGES = 50
_TURNS = 10
_SOON_S = 5
"""How long after our turn's end Codex may have begun another one by itself; it was ended with our app-server."""


class Debt(NamedTuple):
    """What may have to be put back, as it is noted in a turn's directory.

    Attributes:
        thread_id: whose queue it is.
        turn_id: Codex's id of our turn, once known.
        begun_turn_id: that of a turn which Codex began by itself, where it was seen.
        entries: the wire's `QueuedSubmission`s that were taken out, oldest first.
        older_count: how many of them are older than what Codex began with, where that is none of them.
    """

    thread_id: str
    turn_id: str | None = None
    begun_turn_id: str | None = None
    entries: tuple[Message, ...] = ()
    older_count: int = 0


class RestoredQueue(NamedTuple):
    """What came of it.

    Attributes:
        put_back: the texts that were put back.
        interrupted: those among them that Codex had begun already.
        answered: what Codex began behind our turn, and brought to its end before our app-server was gone.
        refusal: why something is still missing; None where nothing is.
    """

    put_back: tuple[str, ...] = ()
    interrupted: tuple[str, ...] = ()
    answered: tuple[str, ...] = ()
    refusal: str | None = None


class _RefusedError(Exception):
    """Codex's own words."""


def restore_queue(debt: Debt, version: str) -> Query[RestoredQueue]:
    """Put back what is missing: in front of what was queued since."""
    put_back: list[str] = []
    interrupted: tuple[str, ...] = ()
    answered: tuple[str, ...] = ()
    try:
        yield from _ask("initialize", _initialize_params(version))
        waiting = yield from _waiting(debt.thread_id)
        turns = yield from _ask("thread/turns/list", _page(debt.thread_id))
        newest_first = objects_in(turns.get("data"))
        answered = _answered_behind(debt, newest_first)
        missing, begun = _missing(debt, waiting, newest_first)
        interrupted = tuple(shown(entry) for entry in missing if entry["clientUserMessageId"] in begun)
        new_ids = []
        for entry in missing:
            added = yield from _ask("thread/queue/add", {"threadId": debt.thread_id} | _addable(entry))
            put_back.append(shown(entry))
            new_ids.append(at(added, "queuedSubmission.id", str) or "")
        if new_ids and waiting:
            order = [*new_ids, *(str(entry.get("id")) for entry in waiting)]
            yield from _ask("thread/queue/reorder", {"threadId": debt.thread_id, "queuedSubmissionIds": order})
    except _RefusedError as error:
        return RestoredQueue(tuple(put_back), interrupted, answered, str(error))
    return RestoredQueue(tuple(put_back), interrupted, answered)


def _initialize_params(version: str) -> Message:
    client = {"name": "codex_server", "title": "codex-server", "version": version}
    return {"clientInfo": client, "capabilities": {"experimentalApi": True}}


def _page(thread_id: str) -> Message:
    return {"threadId": thread_id, "limit": _TURNS, "itemsView": "full"}


def _ask(method: str, params: Message) -> Query[Message]:
    reply = yield method, params
    result = at(reply, "result", dict)
    if result is None:
        raise _RefusedError(readable_message(object_at(reply, "error")))
    return result


def _waiting(thread_id: str) -> Query[list[Message]]:
    entries: list[Message] = []
    cursor: Any = None
    for _ in range(_MOST_PAGES):
        page = yield from _ask(LIST, {"threadId": thread_id} | ({"cursor": cursor} if cursor else {}))
        entries += objects_in(page.get("data"))
        cursor = page.get("nextCursor")
        if not cursor:
            break
    return entries


def _missing(debt: Debt, waiting: list[Message], turns: list[Message]) -> tuple[list[Message], set[str]]:
    """What is to be added, oldest first; and which of it Codex had begun, by the client's id of a message."""
    begun, answered = _taken_by_codex(debt, turns)
    there = answered | {text_in(entry.get("clientUserMessageId")) for entry in waiting}
    missing: dict[str, Message] = {}
    noted = {text_in(entry.get("clientUserMessageId")) for entry in debt.entries}
    unnoted = [entry for client_id, entry in begun.items() if client_id not in noted]
    older, younger = debt.entries[: debt.older_count], debt.entries[debt.older_count :]
    for entry in (*older, *unnoted, *younger):
        client_id = text_in(entry.get("clientUserMessageId"))
        if client_id and client_id not in there:
            missing[client_id] = begun.get(client_id, {}) | missing.get(client_id, {}) | entry  # a note has more
    return list(missing.values()), set(begun)


def _taken_by_codex(debt: Debt, turns: list[Message]) -> tuple[dict[str, Message], set[str]]:
    """What newer turns of the thread began with: those that ended with our app-server, and those that went their way.

    Args:
        turns: newest first, as Codex lists them.
    """
    begun: dict[str, Message] = {}
    answered: set[str] = set()
    ours = next((turn for turn in turns if turn.get("id") == debt.turn_id), None)
    noted = {text_in(entry.get("clientUserMessageId")) for entry in debt.entries}
    newer = turns[: turns.index(ours)] if ours is not None else turns
    for turn in reversed(newer):
        is_cut_off = turn.get("status") != "completed"
        for item in objects_in(turn.get("items")):
            client_id = text_in(item.get("clientId"))
            if item.get("type") != "userMessage" or not client_id:
                continue
            is_known = client_id in noted or turn.get("id") == debt.begun_turn_id
            if is_cut_off and (is_known or _is_soon_after(turn, ours)):
                begun[client_id] = {"clientUserMessageId": client_id, "input": item.get("content")}
            else:
                answered.add(client_id)
    return begun, answered - set(begun)


def _answered_behind(debt: Debt, turns: list[Message]) -> tuple[str, ...]:
    """What Codex began with by itself behind our turn, and is complete, oldest first."""
    ours = next((turn for turn in turns if turn.get("id") == debt.turn_id), None)
    newer = turns[: turns.index(ours)] if ours is not None else turns
    answered = []
    for turn in reversed(newer):
        is_of_codex = turn.get("id") == debt.begun_turn_id or _is_soon_after(turn, ours)
        for item in objects_in(turn.get("items")) if is_of_codex and turn.get("status") == "completed" else ():
            if item.get("type") == "userMessage" and item.get("clientId"):
                answered.append(shown({"input": item.get("content")}))
    return tuple(answered)


def _is_soon_after(turn: Message, ours: Message | None) -> bool:
    started_s, ended_s = at(turn, "startedAt", int), at(ours, "completedAt", int)
    return started_s is not None and ended_s is not None and started_s - ended_s <= _SOON_S


def _addable(entry: Message) -> Message:
    names = ("clientUserMessageId", "input", "responsesapiClientMetadata")
    return {name: entry[name] for name in names if entry.get(name) is not None}
