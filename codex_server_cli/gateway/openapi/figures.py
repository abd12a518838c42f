"""The operations of usage figures: what turns have used, and the limits of the login."""

from __future__ import annotations

from codex_server_cli.core.documents.account import LIMITS_KEYS
from codex_server_cli.core.documents.turn import VERSION
from codex_server_cli.core.record.usage import no_usage
from codex_server_cli.gateway.openapi.operation import Operation, json_of
from codex_server_cli.gateway.openapi.schema import (
    ANY,
    NUMBER,
    TEXT,
    WHOLE,
    Schema,
    list_of,
    map_of,
    object_of,
    one_of,
    or_null,
    ref,
)
from codex_server_cli.gateway.page.figures import GROUPED_BY, SINCE, USAGE
from codex_server_cli.gateway.turns.query import FULL

FACE = "figures"
_VERSION: Schema = {"const": VERSION}
_COUNTS: dict[str, Schema] = {
    **dict.fromkeys(("turns", "running", "cancelled", *no_usage()), WHOLE),
    "failures": map_of(WHOLE),
    **dict.fromkeys(("median_s", "p95_s"), or_null(NUMBER)),
}
_LIMIT: dict[str, Schema] = {
    **dict.fromkeys(LIMITS_KEYS, ANY),
    "windows": list_of(
        object_of(
            {"name": TEXT, "used_percent": NUMBER, "window_minutes": or_null(WHOLE), "resets_at": or_null(TEXT)},
        )
    ),
}

SCHEMAS: dict[str, Schema] = {
    "Usage": object_of(
        {
            "version": _VERSION,
            "since": TEXT,
            "by": one_of(GROUPED_BY),
            "groups": list_of(object_of({**dict.fromkeys(GROUPED_BY, or_null(TEXT)), **_COUNTS})),
            "total": object_of(_COUNTS),
            "unreadable": WHOLE,
        },
        ("version", "since", "by"),
    ),
    "Limits": object_of({"version": _VERSION, "limits": list_of(object_of(_LIMIT))}, ("version", "limits")),
}


def operations() -> dict[tuple[str, str], Operation]:
    """By method and path."""
    since = {"default": SINCE, "description": "Turns that were started so long ago or later, like `30d`."}
    by = {**one_of(GROUPED_BY), "default": GROUPED_BY[0]}
    used = json_of(ref("Usage"), "The groups, and all of them together.")
    limits = json_of(ref("Limits"), "The limits, each with its windows.")
    return {
        ("GET", "/usage"): Operation(FACE, {200: used}, (507,), USAGE, {"since": since, "by": by}),
        ("GET", "/limits"): Operation(FACE, {200: limits}, (409,), FULL),
    }
