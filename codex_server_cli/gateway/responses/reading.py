"""Responses that are remembered: read, forgotten, and not cancelled, as they have ended."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from codex_server_cli.core.openai.refusal import ApiError, invalid
from codex_server_cli.core.openai.responses.document import Json
from codex_server_cli.gateway.answers import json_answer
from codex_server_cli.gateway.responses.face import ResponsesFace
from codex_server_cli.gateway.responses.memory import RememberedResponse

_LIMIT, _MOST = 20, 100


async def retrieve(face: ResponsesFace, request: Request) -> Response:
    """Read a response."""
    found = remembered(face, request)
    if request.query_params.get("stream") == "true":
        raise invalid("Only a background response can be streamed again.", "stream")
    return json_answer(found.document)


async def remove(face: ResponsesFace, request: Request) -> Response:
    """Forget a response."""
    found = remembered(face, request)
    face.memory.forget(found.id)
    return json_answer(deleted(found.id))


async def cancel(face: ResponsesFace, request: Request) -> Response:
    """Cancel a response."""
    remembered(face, request)
    raise invalid("Only background responses can be cancelled. Close the connection to end another one.")


async def input_items(face: ResponsesFace, request: Request) -> Response:
    """List what the request of a response added to the conversation."""
    return json_answer(page_of(remembered(face, request).input, request))


def remembered(face: ResponsesFace, request: Request) -> RememberedResponse:
    """The response that a path names; raises `ApiError` (404)."""
    response_id = request.path_params["response"]
    found = face.memory.get(response_id)
    if found is None:
        raise not_found(response_id)
    return found


def not_found(response_id: str) -> ApiError:
    """The error answer where there is no such response."""
    message = (
        f"Response with id {response_id[:80]!r} not found. Responses are remembered as long as there is room and the"
        " gateway runs, unless `store` was false."
    )
    return ApiError(404, message, code="response_not_found", param="response_id")


def deleted(response_id: str) -> Json:
    """The answer to a deletion."""
    return {"id": response_id, "object": "response", "deleted": True}


def page_of(items: list[Json], request: Request) -> Json:
    """A page of a list, by the query of a request: `limit`, `order`, `after`.

    Args:
        items: all, oldest first.

    Raises:
        ApiError: 400, the query is wrong.
    """
    query = request.query_params
    order, limit = query.get("order", "desc"), query.get("limit", str(_LIMIT))
    if order not in ("asc", "desc"):
        raise invalid("`order` must be `asc` or `desc`.", "order")
    if not (limit.isascii() and limit.isdigit() and len(limit) < 4 and 1 <= int(limit) <= _MOST):
        raise invalid(f"`limit` must be a number from 1 to {_MOST}.", "limit")
    ordered = items if order == "asc" else items[::-1]
    if (after := query.get("after")) is not None:
        ids = [item["id"] for item in ordered]
        if after not in ids:
            raise invalid(f"There is no item {after[:80]!r} in this list.", "after")
        ordered = ordered[ids.index(after) + 1 :]
    page = ordered[: int(limit)]
    ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {"first_id": None, "last_id": None}
    return {"object": "list", "data": page, **ends, "has_more": len(page) < len(ordered)}
