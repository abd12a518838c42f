"""Remembered responses: read, forget; they have ended, so cancelling is refused."""

from __future__ import annotations

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from codex_server_cli.core.openai.refusal import ApiError, invalid
from codex_server_cli.gateway.http_answers import json_answer
from codex_server_cli.gateway.responses.face import ResponsesFace
from codex_server_cli.gateway.responses.memory import RememberedResponse
from codex_server_cli.gateway.responses.pages import deleted, page_of
from codex_server_cli.gateway.turns.query import QueryOf


async def retrieve(face: ResponsesFace, request: Request) -> Response:
    """Read a response."""
    found = remembered(face, request)
    if QueryOf(request, "stream", may_have_more=True).switch("stream"):
        raise invalid("Only a background response can be streamed again.", "stream")
    return json_answer(found.document)


async def remove(face: ResponsesFace, request: Request) -> Response:
    """Forget a response."""
    found = remembered(face, request)
    face.memory.forget(found.id)
    return json_answer(deleted(found.id))


async def cancel(face: ResponsesFace, request: Request) -> Response:
    """Refuse to cancel a response."""
    remembered(face, request)
    raise invalid("Only background responses can be cancelled. Close the connection to end another one.")


async def input_items(face: ResponsesFace, request: Request) -> Response:
    """List the items that a response's request added to the conversation."""
    found = remembered(face, request)
    return await to_thread.run_sync(lambda: json_answer(page_of(found.input, request)))


def remembered(face: ResponsesFace, request: Request) -> RememberedResponse:
    """The response in the path; raises `ApiError` (404)."""
    response_id = request.path_params["response"]
    found = face.memory.get(response_id)
    if found is None:
        raise not_found(response_id)
    return found


def not_found(response_id: str) -> ApiError:
    """The error for an unknown response."""
    message = (
        f"Response with id {response_id[:80]!r} not found. Responses are remembered as long as there is room and the"
        " gateway runs, unless `store` was false."
    )
    return ApiError(404, message, code="response_not_found", param="response_id")
