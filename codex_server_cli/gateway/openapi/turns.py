"""The operations of turns. Owns their responses; the parameters come from the tables in `gateway.turns`."""

from __future__ import annotations

from collections.abc import Mapping

from codex_server_cli.core.model.request import Approval, Sandbox
from codex_server_cli.core.model.turn import State
from codex_server_cli.gateway.openapi.operation import (
    EVENTS,
    JSON,
    PLAIN,
    DocumentedAnswer,
    Operation,
    json_of,
    operation_id,
)
from codex_server_cli.gateway.openapi.schema import (
    NO_MEMBERS,
    SWITCH,
    TEXT,
    VISIBLE,
    Schema,
    any_of,
    described,
    event_of,
    list_of,
    map_of,
    object_of,
    one_of,
    or_null,
    ref,
)
from codex_server_cli.gateway.openapi.turn_schemas import TURN_FIELDS, TURN_ID_PATTERN
from codex_server_cli.gateway.turns import acting, query
from codex_server_cli.gateway.turns.parameters import CONTINUE, PROMPT, START, Form
from codex_server_cli.gateway.turns.reading import LISTED, MOST_LISTED, MOST_WAIT_S
from codex_server_cli.gateway.turns.starter import KEY_HEADER

FACE = "turns"
Links = Mapping[str, Mapping[str, str]]
_CURSOR = "^(-1|[0-9]{1,15})(\\.end)?$"
_OF_TURNS = (404, 409, 504, 507)
_TEXTS = any_of(list_of(TEXT), TEXT)
_SOME_TEXT: Schema = {**TEXT, "minLength": 1}
_FORMS: Mapping[Form, Schema] = {
    Form.TEXT: _SOME_TEXT,
    Form.SWITCH: SWITCH,
    Form.LIST: _TEXTS,
    Form.DURATION: described(any_of({"type": "number", "minimum": 0}, TEXT), Form.DURATION.value),
    Form.SCHEMA: described(any_of({"type": "object"}, TEXT), Form.SCHEMA.value),
    Form.SANDBOX: one_of(Sandbox),
    Form.APPROVAL: one_of(Approval),
    Form.ANSWERS: described(map_of(_TEXTS), "Question id → answer."),
}
_DETAILS: Mapping[str, Schema] = {
    "full": {"description": "The whole document."},
    "fields": {
        "description": "The members to show, with commas between them; not together with `full`.",
        "pattern": f"^({'|'.join(TURN_FIELDS)})(,({'|'.join(TURN_FIELDS)}))*$",
    },
    "limit": {"minimum": 1, "maximum": MOST_LISTED, "default": LISTED},
    "before": {"description": "The page after the turn with this id.", "pattern": TURN_ID_PATTERN},
    "state": one_of(State),
    "since": {
        "description": "Turns that were started so long ago or later, like `7d`.",
        "pattern": "^(0|[0-9]{1,3}[smhd])$",
    },
    "name": {"description": "A name, or a pattern like `rev-*`."},
    "wait": {
        "description": f"How long to wait for it; at most {MOST_WAIT_S:g} seconds.",
        "pattern": "^[1-2]?[0-9]{1,2}s?$",
    },
    "after": {"description": "A cursor: the `id` of the last event that was seen.", "pattern": _CURSOR},
    "Last-Event-ID": {"pattern": _CURSOR},
    KEY_HEADER: {"minLength": 1},
    "deltas": {"default": True, "description": "Whether pieces of streamed text are shown."},
}
_EVENT = event_of(
    "JSON: a line of `events.jsonl`, or at the end the status with the answer.",
    one_of(("message", "delta", "end", "error")),
    has_id=True,
)
_ONE_FORM: Schema = {"anyOf": [{"required": ["answer"]}, {"required": ["answers"]}]}
_TURN: Mapping[str, Schema] = {
    "turn": described(TEXT, "An id, a unique prefix or end of one, a name, or `last` (not to delete or approve).")
}


def body_of(forms: Mapping[str, Form], required: tuple[str, ...] = ()) -> Schema:
    """The schema of a body with these members; null counts as not given."""
    members = {name: or_null(_FORMS[form]) for name, form in forms.items()}
    members |= dict.fromkeys(required, VISIBLE)
    return object_of(members, required, is_closed=True)


def operations() -> dict[tuple[str, str], Operation]:
    """By method and path."""
    of_turns = {**_reads(), **_acts()}
    links = {operation_id(method, path): {"turn": "$response.body#/turn_id"} for method, path in of_turns}
    return {**_collection(links), **of_turns}


def _collection(links: Links) -> dict[tuple[str, str], Operation]:
    listed = json_of(ref("TurnList"), "The turns, newest first.")
    return {
        ("GET", "/turns"): Operation(FACE, {200: listed}, _OF_TURNS, query.LIST, _DETAILS),
        ("POST", "/turns"): _start({PROMPT: Form.TEXT, **START}, links),
        ("POST", "/turns/{turn}/continue"): _start({PROMPT: Form.TEXT, **START, **CONTINUE}, links),
    }


def _start(forms: Mapping[str, Form], links: Links) -> Operation:
    where = {"Location": "The path of the turn."}
    document = {JSON: ref("TurnStarted")}
    return Operation(
        FACE,
        {
            201: DocumentedAnswer("The turn that was started.", document, where, links),
            200: DocumentedAnswer("The turn that an earlier request with this key has started.", document, where),
        },
        (*_OF_TURNS, 429),
        query.FULL,
        _DETAILS,
        headers={KEY_HEADER: "As `once`: the same key again starts no second turn."},
        path=_TURN,
        body=body_of(forms, (PROMPT,)),
        examples={"prompt": {PROMPT: "Which language is this project written in?"}},
    )


def _read(
    answer: DocumentedAnswer, asked: Mapping[str, query.QueryForm], headers: Mapping[str, str] | None = None
) -> Operation:
    return Operation(FACE, {200: answer}, _OF_TURNS, asked, _DETAILS, headers or {}, _TURN)


def _reads() -> dict[tuple[str, str], Operation]:
    accept = {"Accept": "`application/json` for the JSON form."}
    text_or_json = DocumentedAnswer("The answer, or with it the status.", {PLAIN: TEXT, JSON: ref("TurnWithAnswer")})
    diff = DocumentedAnswer("The diff, or with it the files.", {"text/x-diff": TEXT, JSON: ref("TurnChanges")})
    stream = DocumentedAnswer("Its events, to its end.", {EVENTS: _EVENT})
    events = _read(stream, query.EVENTS, {"Last-Event-ID": "As `after`, which it goes before."})
    over = DocumentedAnswer("The cursor is that of the end: nothing will follow.")
    return {
        ("GET", "/turns/{turn}"): _read(json_of(ref("Turn"), "The turn."), query.STATUS),
        ("GET", "/turns/{turn}/events"): events._replace(answers={**events.answers, 204: over}),
        ("GET", "/turns/{turn}/answer"): _read(text_or_json, query.ANSWER, accept),
        ("GET", "/turns/{turn}/diff"): _read(diff, {}, accept),
        ("GET", "/turns/{turn}/pending"): _read(json_of(ref("TurnPending"), "What it waits for."), query.FULL),
    }


def _act(answer: DocumentedAnswer, body: Schema, *, needs_body: bool = False) -> Operation:
    return Operation(FACE, {200: answer}, _OF_TURNS, query.FULL, _DETAILS, path=_TURN, body=body, needs_body=needs_body)


def _acts() -> dict[tuple[str, str], Operation]:
    decided = json_of(ref("TurnDecided"), "What was decided.")
    deleted = json_of(ref("TurnDeleted"), "It is gone.")
    return {
        ("POST", "/turns/{turn}/cancel"): _act(json_of(ref("Turn"), "The turn, which has ended."), NO_MEMBERS),
        ("POST", "/turns/{turn}/steer"): _act(
            json_of(ref("TurnSteered"), "It was told."), body_of(acting.STEER, ("text",)), needs_body=True
        ),
        ("POST", "/turns/{turn}/approve"): _act(decided, body_of(acting.APPROVE)),
        ("POST", "/turns/{turn}/decline"): _act(decided, body_of(acting.DECLINE)),
        ("POST", "/turns/{turn}/reply"): _act(decided, {**body_of(acting.REPLY), **_ONE_FORM}, needs_body=True),
        ("DELETE", "/turns/{turn}"): Operation(FACE, {200: deleted}, _OF_TURNS, path=_TURN),
    }
