"""Documents that every kind of response has: its deletion, and a page of its input. Owns their form."""

from __future__ import annotations

from starlette.requests import Request

from codex_server_cli.core.openai.refusal import invalid
from codex_server_cli.core.openai.responses.document import Json

_LIMIT, _MOST = 20, 100


def deleted(response_id: str) -> Json:
    """The document of a deletion."""
    return {"id": response_id, "object": "response", "deleted": True}


def page_of(items: list[Json], request: Request) -> Json:
    """A page of a list, by a request's query parameters: `limit`, `order`, `after`.

    Args:
        items: all of them, oldest first.

    Raises:
        ApiError: 400, the query is invalid.
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
