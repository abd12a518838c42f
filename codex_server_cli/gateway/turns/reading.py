"""Reading turns: the list, one turn, its answer, its diff, its requests. Owns which form of a document is sent."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from codex_server_cli.actions.control.approvals import pending_of
from codex_server_cli.actions.read import for_people, read
from codex_server_cli.actions.read.changes import changes
from codex_server_cli.actions.read.feed import Turn
from codex_server_cli.core.documents import turn as turn_documents
from codex_server_cli.core.documents.changes import changes_document
from codex_server_cli.core.documents.fields import only, read_fields
from codex_server_cli.core.duration import since_ms
from codex_server_cli.core.model.turn import State, is_turn_id
from codex_server_cli.core.model.unified_diff import encoded
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.openai.refusal import invalid
from codex_server_cli.gateway.http_answers import error_answer, until_gone
from codex_server_cli.gateway.turns.face import TurnsFace, document_answer
from codex_server_cli.gateway.turns.query import ANSWER, FULL, LIST, STATUS, QueryOf

MOST_WAIT_S = 300.0
LISTED, MOST_LISTED = 20, 1000
_OF_LISTS = ("prompt", "short_id")
"""Further names for `fields`; the latter costs a scan of all ids, so it is only sent on request."""
_CLIENT_GONE = 499
_LOOK_S = 1.0
"""How often to check whether an awaited turn waits for a person."""


async def list_turns(face: TurnsFace, request: Request) -> Response:
    """The turns that pass a filter, newest first."""
    query = QueryOf(request, *LIST)
    is_full = query.switch("full")
    fields = read_fields(query.text("fields"), (*turn_documents.status_keys(), *_OF_LISTS), is_full=is_full)
    before = query.text("before")
    if before is not None and not is_turn_id(before):
        raise invalid(f"`before` is the whole id of a turn, not {before[:40]!r}", "before", "invalid_value")
    limit = query.number("limit", least=1, most=MOST_LISTED, default=LISTED) or LISTED
    since, cwd = query.text("since"), query.text("cwd")
    wanted = read.TurnFilter(
        _state(query.text("state")),
        os.path.join(face.consent.cwd, cwd) if cwd is not None else None,  # noqa: PTH118 — text
        None,
        since_ms(since, "since", time.time_ns() // 1_000_000) if since is not None else None,
        query.text("name"),
        query.text("search"),
    )
    rows = await face.act(_rows, face, wanted, query.text("thread"), limit + 1, before)
    short: dict[str, str] = {}
    if fields and "short_id" in fields:
        short = await face.act(for_people.shortened, face.settings, [view.turn_id for view, _ in rows[:limit]])
    shown = [_row(view, prompt, short, fields, is_full=is_full) for view, prompt in rows[:limit]]
    document: dict[str, Any] = {"version": turn_documents.VERSION, "turns": shown}
    if len(rows) > limit:
        document["before"] = rows[limit - 1][0].turn_id
    return document_answer(document)


def _rows(
    face: TurnsFace, wanted: read.TurnFilter, thread: str | None, limit: int, before: str | None
) -> list[tuple[TurnView, str]]:
    if thread is not None:
        from codex_server_cli.actions.start import threads

        wanted = wanted._replace(thread_ids=threads.ids_of(face.settings, thread))
    views = read.list_turns(face.settings, limit, wanted, before)
    return [(view, read.prompt_beginning(view)) for view in views]


def _row(
    view: TurnView, prompt: str, short: dict[str, str], fields: tuple[str, ...] | None, *, is_full: bool
) -> dict[str, Any]:
    full = turn_documents.listed(view, prompt, is_full=is_full or bool(fields))
    full |= {"short_id": short[view.turn_id]} if short else {}
    return only(fields, full, turn_documents.status(view)) if fields else full


def _state(text: str | None) -> State | None:
    if text is None:
        return None
    try:
        return State(text)
    except ValueError as error:
        known = ", ".join(State)
        raise invalid(f"`state` is one of {known}, not {text[:40]!r}", "state", "invalid_value") from error


async def one_turn(face: TurnsFace, request: Request) -> Response:
    """Where a turn stands."""
    query = QueryOf(request, *STATUS)
    is_full = query.switch("full")
    fields = read_fields(query.text("fields"), turn_documents.status_keys(), is_full=is_full)
    view = await face.act(read.status_after_repair, await face.find(request))
    if view.state is State.MISSING:
        return _missing(view.turn_id)
    if fields:
        return document_answer(only(fields, turn_documents.full_status(view), turn_documents.status(view)))
    return document_answer(turn_documents.status(view, is_full=is_full))


async def answer(face: TurnsFace, request: Request) -> Response:
    """The final answer of a turn: as text, or as JSON with its status."""
    query = QueryOf(request, *ANSWER)
    wait_s, is_full = query.seconds("wait", most=MOST_WAIT_S), query.switch("full")
    directory = await face.find(request)
    view = await face.act(_readable_after_repair, directory)
    if view.state is State.RUNNING and wait_s:
        waited = await until_gone(request, _wait(face, directory, wait_s))
        if waited is None:
            return Response(status_code=_CLIENT_GONE)
        view = waited
    if view.state is State.MISSING:
        return _missing(view.turn_id)
    if view.state is State.RUNNING:
        return _no_answer_yet(view, await face.look(pending_of, view))
    if _wants_json(request, "text/plain"):
        return document_answer(whole_status(view, is_full=is_full))
    if view.state is not State.COMPLETE:
        return _never_an_answer(view)
    return Response((view.answer or "").encode("utf-8", "replace"), media_type="text/plain; charset=utf-8")


async def _wait(face: TurnsFace, directory: Turn, wait_s: float) -> TurnView:
    """Wait until the turn ends or waits for a person, or until the timeout."""
    deadline = time.monotonic() + wait_s
    async with face.hub.feed(directory, has_ended=False) as feed:
        while True:
            view = await face.look(read.status, directory)
            rest_s = deadline - time.monotonic()
            waiting = await face.look(pending_of, view)
            if view.state is not State.RUNNING or waiting or feed.is_cut or rest_s <= 0:
                return view
            with suppress(TimeoutError):
                await asyncio.wait_for(feed.end(), min(_LOOK_S, rest_s))


def _readable_after_repair(directory: Turn) -> TurnView:
    read.status_after_repair(directory)
    return read.readable(directory)


def _no_answer_yet(view: TurnView, waiting: list[dict[str, Any]]) -> Response:
    again = {"Retry-After": "2"}
    if waiting:
        what = f"turn {view.turn_id} waits for an answer itself: GET /turns/{view.turn_id}/pending"
        return error_answer(409, what, type="turn_running", code="turn_waits", headers=again)
    what = f"turn {view.turn_id} is still running ({view.phase})"
    hint = f"GET /turns/{view.turn_id}/answer?wait=60 waits for it."
    return error_answer(409, what, type="turn_running", code="turn_running", headers=again, hint=hint)


def _never_an_answer(view: TurnView) -> Response:
    """The error for a turn that did not complete: scripts that only check the status must not get a partial answer."""
    error = view.error or {}
    message = f"turn {view.turn_id} did not complete ({view.state}): {error.get('message')}"
    kind, hint = str(error.get("kind") or "internal"), str(error.get("hint") or "")
    if view.answer:
        hint = f"{hint} What it had answered so far: the same with `Accept: application/json`.".lstrip()
    return error_answer(409, message, type=kind, code=f"turn_{view.state}", hint=hint)


def _missing(turn_id: str) -> Response:
    return error_answer(404, f"turn {turn_id} was deleted", type="not_found", code="turn_missing")


def whole_status(view: TurnView, *, is_full: bool) -> dict[str, Any]:
    """The status of an ended turn with its whole answer: remote clients cannot open its file."""
    document = turn_documents.status_with_answer(view, is_full=is_full)
    if "answer_path" in document:
        document = {key: value for key, value in document.items() if key not in ("answer_path", "answer_chars")}
        document["answer"] = view.answer
    return document


async def diff(face: TurnsFace, request: Request) -> Response:
    """The changes of a turn, at its end or so far: as a diff, or as JSON with the list of files."""
    QueryOf(request)
    found = await face.act(changes, await face.find(request))
    if _wants_json(request, "text/x-diff"):
        shown = changes_document(
            found.view.turn_id, found.entries, found.changes_of, found.diff, found.diff_path, is_full=True
        )
        return document_answer(shown)
    return Response(encoded(found.diff), media_type="text/x-diff; charset=utf-8")


async def pending(face: TurnsFace, request: Request) -> Response:
    """The requests that a turn waits for, in full."""
    is_full = QueryOf(request, *FULL).switch("full")
    view = await face.look(read.readable, await face.find(request))
    entries, now_ms = await face.look(pending_of, view), time.time_ns() // 1_000_000
    shown = [turn_documents.pending(view, entry, now_ms, is_full=is_full) for entry in entries]
    return document_answer({"version": turn_documents.VERSION, "turn_id": view.turn_id, "pending": shown})


def _wants_json(request: Request, text: str) -> bool:
    """Whether a client prefers JSON, or accepts it equally; without a preference it gets text."""
    wanted: dict[str, float] = {}
    for each in request.headers.get("accept", "").split(","):
        kind, _, parameters = each.lower().partition(";")
        wanted[kind.strip()] = _quality(parameters)
    json = wanted.get("application/json", 0.0)
    return json > 0 and json >= max(wanted.get(kind, 0.0) for kind in (text, "text/plain"))


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    try:
        return float(value) if name == "q" else 1.0
    except ValueError:
        return 0.0
