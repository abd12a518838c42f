"""Acting on a turn: `cancel`, `steer`, `approve`, `decline`, `reply`, and deleting it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from codex_server_cli.actions.control import approvals, control
from codex_server_cli.actions.control.delete import delete
from codex_server_cli.actions.read import read
from codex_server_cli.actions.read.feed import Turn
from codex_server_cli.core.documents import turn as turn_documents
from codex_server_cli.core.inputs import is_blank
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.openai.refusal import ApiError, invalid
from codex_server_cli.core.protocol.rpc import objects_in, text_in
from codex_server_cli.errors import BusyError
from codex_server_cli.gateway.http_answers import read_json
from codex_server_cli.gateway.turns import parameters
from codex_server_cli.gateway.turns.face import TurnsFace, document_answer
from codex_server_cli.gateway.turns.parameters import Form
from codex_server_cli.gateway.turns.query import FULL, QueryOf

STEER: Mapping[str, Form] = {"text": Form.TEXT}
DECLINE: Mapping[str, Form] = {"request": Form.TEXT}
APPROVE: Mapping[str, Form] = {**DECLINE, "session": Form.SWITCH}
REPLY: Mapping[str, Form] = {**DECLINE, "answer": Form.LIST, "answers": Form.ANSWERS}
"""The members of the request bodies."""


async def cancel(face: TurnsFace, request: Request) -> Response:
    """Interrupt a turn: its commands are killed too, what was received is kept. An ended turn stays as it is."""
    is_full = QueryOf(request, *FULL).switch("full")
    await _body(request)
    (view,) = await face.act(control.cancel, [await face.find(request)])
    if view.state is State.RUNNING:
        raise BusyError(f"turn {view.turn_id} could not be ended", hint="Its worker does not react: see worker.log.")
    return document_answer(turn_documents.status(view, is_full=is_full))


async def steer(face: TurnsFace, request: Request) -> Response:
    """Send additional input to a running turn."""
    is_full = QueryOf(request, *FULL).switch("full")
    body = await _body(request, *STEER)
    if body.get("text") is None:
        raise invalid("`text` is missing: what to tell Codex", "text", "missing_parameter")
    text = parameters.value_of("text", body["text"], STEER["text"])
    directory = await face.find(request)
    await _check(face, directory)
    await face.act(approvals.steer, directory, text)
    return document_answer(turn_documents.steered(await face.look(read.status, directory), text, is_full=is_full))


async def approve(face: TurnsFace, request: Request) -> Response:
    """Approve what a turn asks for: a command, a patch, permissions, a tool."""
    is_full = QueryOf(request, *FULL).switch("full")
    given = parameters.read(await _body(request, *APPROVE), APPROVE)
    directory = await _waiting(face, request)
    face.consent.check_approval()
    decided = await face.act(
        approvals.approve, directory, given.get("request"), is_for_session=given.get("session", False)
    )
    return await _decided(face, directory, "approve", decided, is_full=is_full)


async def decline(face: TurnsFace, request: Request) -> Response:
    """Decline what a turn asks for; the turn goes on without it."""
    is_full = QueryOf(request, *FULL).switch("full")
    given = parameters.read(await _body(request, *DECLINE), DECLINE)
    directory = await face.find(request)
    decided = await face.act(approvals.decline, directory, given.get("request"))
    return await _decided(face, directory, "decline", decided, is_full=is_full)


async def reply(face: TurnsFace, request: Request) -> Response:
    """Answer a question of a turn."""
    is_full = QueryOf(request, *FULL).switch("full")
    body = await _body(request, *REPLY)
    given = parameters.read(body, REPLY)
    directory = await _waiting(face, request)
    await _check(face, directory)
    if ("answer" in given) == ("answers" in given):
        raise invalid("give `answers` by question id, or `answer` to the only question", "answers", "missing_parameter")
    if "answer" in given:
        answers = {await face.look(_only_question, directory, given.get("request")): [*given["answer"]]}
    else:
        answers = given["answers"]
    if not answers or any(is_blank(text) for texts in answers.values() for text in texts or [""]):
        raise invalid("an answer is empty", "answers", "invalid_value")
    decided = await face.act(approvals.reply, directory, given.get("request"), answers)
    return await _decided(face, directory, "reply", decided, is_full=is_full)


async def remove(face: TurnsFace, request: Request) -> Response:
    """Delete an ended turn."""
    QueryOf(request)
    if request.path_params["turn"] == "last":
        raise invalid("`last` may be another turn by now: name the one to delete", "turn", "invalid_value")
    view = await face.act(delete, face.settings, await face.find(request))
    return document_answer({"version": turn_documents.VERSION, "turn_id": view.turn_id, "deleted": True})


async def _body(request: Request, *names: str) -> dict[str, Any]:
    """The members of an optional body."""
    body = await read_json(request) if _has_body(request) else {}
    return parameters.members_of(body, names)


def _has_body(request: Request) -> bool:
    headers = request.headers
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


async def _check(face: TurnsFace, directory: Turn) -> None:
    """Check that a turn may be controlled from here."""
    view = await face.look(read.readable, directory)
    if view.state is not State.MISSING:  # the action reports it
        await face.look(face.consent.check_turn, view.turn_id, view.meta)


async def _waiting(face: TurnsFace, request: Request) -> Turn:
    """The turn with the request to decide."""
    await face.find(request)  # reports an invalid id
    return await face.act(approvals.find_waiting, face.settings, request.path_params["turn"])


def _only_question(directory: Turn, request_id: str | None) -> str:
    """The id of the only question, for an answer without an id.

    Raises:
        ApiError: there are several.
    """
    entries = approvals.pending_of(read.status(directory))
    meant = [entry for entry in entries if request_id in (None, entry.get("id"))]
    ids = [text_in(each.get("id")) for entry in meant for each in objects_in(entry.get("questions"))]
    if len(ids) > 1:
        message = f"`answer` does not say which question it answers: give `answers`, with {', '.join(ids)}"
        raise ApiError(400, message, code="invalid_value", param="answer")
    return ids[0] if ids else ""  # the worker reports what is wrong


async def _decided(face: TurnsFace, directory: Turn, op: str, request: dict[str, Any], *, is_full: bool) -> Response:
    view = await face.look(read.status, directory)
    return document_answer(turn_documents.decided(view, op, request, is_full=is_full))
