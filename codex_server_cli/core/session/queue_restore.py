"""Restores queued messages to the queue of their thread. Owns which are missing there, and their order.

Runs on an app-server without loaded threads, where a message stays in the queue. Idempotent: Codex accepts two messages
with one `clientUserMessageId` (observed on 0.163.0 and 0.171.0), so the queue and the answered messages of the thread
are read first.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from codex_server_cli.core.protocol.query import Query, initialize_params
from codex_server_cli.core.protocol.rpc import Message, at, object_at, objects_in, readable_message, text_in
from codex_server_cli.core.session.queued_messages import LIST, shown

_MOST_PAGES = 50
_TURNS = 10
_SOON_S = 5
"""The time after our turn's end within which Codex may have begun another one by itself, until our app-server ended."""


class Debt(NamedTuple):
    """What may have to be restored, as recorded in a turn's directory.

    Attributes:
        thread_id: the thread of the queue.
        turn_id: Codex's id of our turn, once known.
        begun_turn_id: Codex's id of a turn that it began by itself, if observed.
        entries: the wire's `QueuedSubmission`s that were taken out, oldest first.
        older_count: how many of them are older than the message that Codex began with, if that is not among them.
    """

    thread_id: str
    turn_id: str | None = None
    begun_turn_id: str | None = None
    entries: tuple[Message, ...] = ()
    older_count: int = 0


class RestoredQueue(NamedTuple):
    """The result of a restore.

    Attributes:
        put_back: the texts that were restored.
        interrupted: those of them that Codex had already begun.
        answered: the messages that Codex began after our turn, and completed before our app-server ended.
        refusal: why something is still missing; None if nothing is.
    """

    put_back: tuple[str, ...] = ()
    interrupted: tuple[str, ...] = ()
    answered: tuple[str, ...] = ()
    refusal: str | None = None


class _RefusedError(Exception):
    """Codex refused a request; the message is Codex's."""


def restore_queue(debt: Debt, version: str) -> Query[RestoredQueue]:
    """Restore missing messages, before those that were queued since."""
    put_back: list[str] = []
    interrupted: tuple[str, ...] = ()
    answered: tuple[str, ...] = ()
    try:
        yield from _ask("initialize", initialize_params(version))
        waiting = yield from _list_queue(debt.thread_id)
        turns = yield from _ask("thread/turns/list", _page(debt.thread_id))
        newest_first = objects_in(turns.get("data"))
        answered = _answered_after(debt, newest_first)
        missing, begun = _missing(debt, waiting, newest_first)
        interrupted = tuple(shown(entry) for entry in missing if entry["clientUserMessageId"] in begun)
        new_ids = []
        for entry in missing:
            added = yield from _ask("thread/queue/add", {"threadId": debt.thread_id} | _add_params(entry))
            put_back.append(shown(entry))
            new_ids.append(at(added, "queuedSubmission.id", str) or "")
        if new_ids and waiting:
            order = [*new_ids, *(str(entry.get("id")) for entry in waiting)]
            yield from _ask("thread/queue/reorder", {"threadId": debt.thread_id, "queuedSubmissionIds": order})
    except _RefusedError as error:
        return RestoredQueue(tuple(put_back), interrupted, answered, str(error))
    return RestoredQueue(tuple(put_back), interrupted, answered)


def _page(thread_id: str) -> Message:
    return {"threadId": thread_id, "limit": _TURNS, "itemsView": "full"}


def _ask(method: str, params: Message) -> Query[Message]:
    reply = yield method, params
    result = at(reply, "result", dict)
    if result is None:
        raise _RefusedError(readable_message(object_at(reply, "error")))
    return result


def _list_queue(thread_id: str) -> Query[list[Message]]:
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
    """The messages to add, oldest first; and the client's ids of those that Codex had begun."""
    begun, answered = _taken_by_codex(debt, turns)
    present = answered | {text_in(entry.get("clientUserMessageId")) for entry in waiting}
    missing: dict[str, Message] = {}
    recorded = {text_in(entry.get("clientUserMessageId")) for entry in debt.entries}
    unrecorded = [entry for client_id, entry in begun.items() if client_id not in recorded]
    older, younger = debt.entries[: debt.older_count], debt.entries[debt.older_count :]
    for entry in (*older, *unrecorded, *younger):
        client_id = text_in(entry.get("clientUserMessageId"))
        if client_id and client_id not in present:
            missing[client_id] = begun.get(client_id, {}) | missing.get(client_id, {}) | entry  # recorded has more
    return list(missing.values()), set(begun)


def _taken_by_codex(debt: Debt, turns: list[Message]) -> tuple[dict[str, Message], set[str]]:
    """The messages of newer turns of the thread: those cut off with our app-server, by id, and the ids of the others.

    Args:
        turns: newest first, as Codex lists them.
    """
    begun: dict[str, Message] = {}
    answered: set[str] = set()
    own_turn = next((turn for turn in turns if turn.get("id") == debt.turn_id), None)
    recorded = {text_in(entry.get("clientUserMessageId")) for entry in debt.entries}
    newer = turns[: turns.index(own_turn)] if own_turn is not None else turns
    for turn in reversed(newer):
        is_cut_off = turn.get("status") != "completed"
        for item in objects_in(turn.get("items")):
            client_id = text_in(item.get("clientId"))
            if item.get("type") != "userMessage" or not client_id:
                continue
            is_known = client_id in recorded or turn.get("id") == debt.begun_turn_id
            if is_cut_off and (is_known or _is_soon_after(turn, own_turn)):
                begun[client_id] = {"clientUserMessageId": client_id, "input": item.get("content")}
            else:
                answered.add(client_id)
    return begun, answered - set(begun)


def _answered_after(debt: Debt, turns: list[Message]) -> tuple[str, ...]:
    """The messages that Codex began by itself after our turn, and completed, oldest first."""
    own_turn = next((turn for turn in turns if turn.get("id") == debt.turn_id), None)
    newer = turns[: turns.index(own_turn)] if own_turn is not None else turns
    answered = []
    for turn in reversed(newer):
        is_of_codex = turn.get("id") == debt.begun_turn_id or _is_soon_after(turn, own_turn)
        for item in objects_in(turn.get("items")) if is_of_codex and turn.get("status") == "completed" else ():
            if item.get("type") == "userMessage" and item.get("clientId"):
                answered.append(shown({"input": item.get("content")}))
    return tuple(answered)


def _is_soon_after(turn: Message, own_turn: Message | None) -> bool:
    started_s, ended_s = at(turn, "startedAt", int), at(own_turn, "completedAt", int)
    return started_s is not None and ended_s is not None and started_s - ended_s <= _SOON_S


def _add_params(entry: Message) -> Message:
    names = ("clientUserMessageId", "input", "responsesapiClientMetadata")
    return {name: entry[name] for name in names if entry.get(name) is not None}
