"""The schemas of turn documents. Owns the description of each member; `core.documents` owns which members there are.

The lean form of a document omits empty members and adds a few others, so hardly any member is always present.
"""

from __future__ import annotations

from codex_server_cli.core.documents.turn import VERSION
from codex_server_cli.core.model.request import Approval, Sandbox
from codex_server_cli.core.model.turn import Phase, State
from codex_server_cli.core.record.approval_request import RequestKind
from codex_server_cli.gateway.openapi.schema import (
    ANY,
    NUMBER,
    SWITCH,
    TEXT,
    WHOLE,
    Schema,
    any_of,
    described,
    list_of,
    map_of,
    object_of,
    one_of,
    or_null,
)

TURN_ID_PATTERN = "^[0-9]{8}-[0-9]{6}-[0-9]{3}-[0-9a-f]{4}$"
_OBJECT: Schema = {"type": "object"}
_VERSION: Schema = {"const": VERSION}
_NEXT = described(map_of(TEXT), "Commands of `codex-server` to run next, by verb.")
_PATHS = ("turn_dir", "out_path", "events_path", "done_marker", "error_marker", "meta_path")
_CHANGES = described(list_of(_OBJECT), "The files that it changed.")
_WHICH = ("version", "turn_id")

TURN_FIELDS: dict[str, Schema] = {
    "version": _VERSION,
    "turn_id": TEXT,
    "name": or_null(TEXT),
    "state": one_of(State),
    "phase": or_null(one_of(Phase)),
    "thread_id": described(or_null(TEXT), "Codex's id of the conversation."),
    "codex_turn_id": or_null(TEXT),
    "cwd": or_null(TEXT),
    "worktree": or_null(_OBJECT),
    "model": or_null(TEXT),
    "effort": or_null(TEXT),
    "sandbox": or_null(one_of(Sandbox)),
    "approval": or_null(one_of(Approval)),
    "server": or_null(TEXT),
    "started_at": described(or_null(TEXT), "RFC 3339, UTC."),
    "finished_at": or_null(TEXT),
    "last_activity": or_null(TEXT),
    "elapsed_s": or_null(NUMBER),
    "usage": described(or_null(_OBJECT), "Tokens."),
    "limits": described(ANY, "The limits of the account, as last reported."),
    "refused": described(list_of(_OBJECT), "What Codex tried, and was refused."),
    "changes": _CHANGES,
    "changes_of": or_null(TEXT),
    "pending": described(list_of(any_of(_OBJECT, TEXT)), "What it waits for; in a list of turns the ids alone."),
    "put_back": or_null(WHOLE),
    "resets_at": or_null(TEXT),
    "error": or_null(_OBJECT),
    "notify": or_null(_OBJECT),
    **dict.fromkeys(_PATHS, TEXT),
    "next": _NEXT,
}
"""Members of the full status."""

LEAN_FIELDS: dict[str, Schema] = {"changes_count": WHOLE, "changes_listed_by": TEXT}
"""Members of the lean status only."""

REQUEST_FIELDS: dict[str, Schema] = {
    "version": _VERSION,
    "turn_id": TEXT,
    "name": or_null(TEXT),
    "id": TEXT,
    "kind": one_of(RequestKind),
    "message": TEXT,
    "answer_with": one_of(("approve", "reply")),
    "asked_at": TEXT,
    "expires_at": or_null(TEXT),
    "expires_in_s": or_null(NUMBER),
    "can_last": SWITCH,
    **dict.fromkeys(("thread_id", "item_id", "reason", "command", "cwd", "grant_root", "server"), or_null(TEXT)),
    **dict.fromkeys(("tool", "url"), or_null(TEXT)),
    **dict.fromkeys(("network", "permissions", "arguments"), ANY),
    "changes": or_null(list_of(_OBJECT)),
    "questions": or_null(list_of(_OBJECT)),
    "next": _NEXT,
}
"""Members of a request that waits for an answer."""

_STATUS = {**TURN_FIELDS, **LEAN_FIELDS}
_LISTED: dict[str, Schema] = {
    "prompt": or_null(TEXT),
    "short_id": described(TEXT, "The shortest part of the id that selects the turn; only where `fields` asks for it."),
}
_STARTED = ("version", "turn_id", "thread_id", "state", "existing", *_PATHS, "next")
_STARTED_FIELDS = {
    **TURN_FIELDS,
    "existing": described(SWITCH, "An earlier call with this key has started it."),
    "warnings": list_of(TEXT),
}

SCHEMAS: dict[str, Schema] = {
    "Turn": described(
        object_of(_STATUS),
        "Where a turn stands. `?full=true` has every member, `?fields=` just those, else what is empty is left out.",
    ),
    "TurnWithAnswer": object_of({**_STATUS, "answer": or_null(TEXT)}, ("version", "turn_id", "state")),
    "TurnStarted": object_of(
        {name: _STARTED_FIELDS[name] for name in (*_STARTED, "warnings")}, ("version", "turn_id", "state", "next")
    ),
    "TurnList": object_of(
        {
            "version": _VERSION,
            "turns": list_of(object_of({**_STATUS, **_LISTED})),
            "before": described(TEXT, "The id to ask for the next page with; absent on the last one."),
        },
        ("version", "turns"),
    ),
    "TurnPending": object_of(
        {"version": _VERSION, "turn_id": TEXT, "pending": list_of(object_of(REQUEST_FIELDS, ("id", "kind")))},
        (*_WHICH, "pending"),
    ),
    "TurnChanges": object_of(
        {
            "version": _VERSION,
            "turn_id": TEXT,
            "changes": _CHANGES,
            "changes_of": or_null(TEXT),
            "diff": TEXT,
            "diff_chars": WHOLE,
            "diff_path": or_null(TEXT),
        },
        (*_WHICH, "changes", "diff"),
    ),
    "TurnSteered": object_of({"version": _VERSION, "turn_id": TEXT, "text": TEXT, "next": _NEXT}, (*_WHICH, "next")),
    "TurnDecided": object_of(
        {
            "version": _VERSION,
            "turn_id": TEXT,
            "decided": one_of(("approve", "decline", "reply")),
            "request": _OBJECT,
            "next": _NEXT,
        },
        (*_WHICH, "decided", "request", "next"),
    ),
    "TurnDeleted": object_of({"version": _VERSION, "turn_id": TEXT, "deleted": {"const": True}}, (*_WHICH, "deleted")),
}
"""By their names in the document."""
