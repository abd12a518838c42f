"""The operations of the bridge. Owns the schemas of messages; the allow-list (`core.protocol`) owns what passes."""

from __future__ import annotations

from collections.abc import Mapping

from codex_server_cli.core.model.turn import State
from codex_server_cli.core.protocol.allow_list import (
    METHODS,
    NOTIFICATIONS,
    ClientRights,
)
from codex_server_cli.gateway.bridge.calls import CHAT, FORWARDED, RAW, STATUS
from codex_server_cli.gateway.bridge.chat import INPUT, TURN_STATUS
from codex_server_cli.gateway.bridge.messages import CLIENT_HEADER
from codex_server_cli.gateway.openapi.bridge_parameters import params_of_method
from codex_server_cli.gateway.openapi.operation import EVENTS, DocumentedAnswer, Operation, json_of
from codex_server_cli.gateway.openapi.schema import (
    ANY,
    SWITCH,
    TEXT,
    VISIBLE,
    WHOLE,
    Schema,
    any_of,
    described,
    event_of,
    object_of,
    one_of,
    or_null,
    ref,
)

FACE = "bridge"
_CLIENT = {CLIENT_HEADER: "A name that keeps this client's handles apart from those of others."}
_DETAILS: Mapping[str, Schema] = {
    CLIENT_HEADER: {"pattern": "^[A-Za-z0-9._-]{0,64}$"},
    "Last-Event-ID": {"pattern": "^[0-9a-f]{32}\\.[0-9]{1,15}$"},
}
_EVENT_ID = "The `id` of the last event that was seen: the stream goes on behind it."
_OBJECT: Schema = {"type": "object"}
_EVENT = event_of(
    "JSON: a JSON-RPC message, or an object.",
    one_of(("ready", "result", "error", "notification", "request", "done")),
    has_id=True,
)
_TYPES = {str: TEXT, bool: SWITCH}
_EXAMPLES: Mapping[str, Schema] = {"models": {"id": 1, "method": "model/list", "params": {}}}
_SOCKET = (
    "A WebSocket: a connection to the app-server, JSON-RPC message for message, each a text frame. What `/rpc` lets"
    " pass, passes here."
)

SCHEMAS: dict[str, Schema] = {
    "RpcReply": described(
        any_of(
            object_of({"id": ANY, "result": ANY}, ("id", "result")),
            object_of({"id": ANY, "error": ref("RpcError")}, ("id", "error")),
        ),
        "A reply, with the id of its request.",
    ),
    "RpcError": object_of({"code": WHOLE, "message": TEXT, "data": ANY}, ("code", "message")),
    "CodexStatus": object_of(
        {
            "authMode": TEXT,
            "appServerTransport": TEXT,
            "appServerProbe": object_of({"ok": SWITCH, "result": ANY, "error": _OBJECT}, ("ok",)),
        },
        ("authMode", "appServerTransport", "appServerProbe"),
    ),
    "CodexChat": object_of(
        {"answer": or_null(TEXT), "thread_id": or_null(TEXT), "turn_id": TEXT, "state": one_of(State)},
        ("answer", "thread_id", "turn_id", "state"),
    ),
}


def operations(rights: ClientRights, *, is_open: bool) -> dict[tuple[str, str], Operation]:
    """By method and path.

    Args:
        rights: of clients.
        is_open: whether every message passes.
    """
    requests = [_any_request()] if is_open else [_request(method, rights) for method in METHODS]
    reply = json_of(ref("RpcReply"), "The reply to a request.")
    nothing = DocumentedAnswer("It was no request: nothing is replied.")
    stream = DocumentedAnswer("The events of the call and its turn, to the end.", {EVENTS: _EVENT})
    nothing_more = DocumentedAnswer("Nothing follows the last event that was seen.")
    upgrade = DocumentedAnswer("The connection is a WebSocket now.")
    return {
        ("POST", "/rpc"): Operation(
            FACE,
            {200: reply, 204: nothing},
            (404, 429, 502, 504),
            headers=_CLIENT,
            details=_DETAILS,
            body=any_of(*requests, *_others(is_open=is_open)),
            examples=_EXAMPLES,
        ),
        ("POST", "/stream"): Operation(
            FACE,
            {200: stream, 204: nothing_more},
            (404, 410, 429, 502, 504),
            headers={**_CLIENT, "Last-Event-ID": f"{_EVENT_ID} The body then means nothing."},
            details=_DETAILS,
            body=any_of(*(each for each in requests if each["properties"]["method"] != {"const": "initialize"})),
            examples=_EXAMPLES,
        ),
        ("GET", "/stream"): Operation(
            FACE, {200: stream, 204: nothing_more}, (410,), headers={"Last-Event-ID": _EVENT_ID}, details=_DETAILS
        ),
        ("GET", "/ws"): Operation(FACE, {101: upgrade}, (426, 429), words=_SOCKET),
        **_calls(rights, is_open=is_open),
    }


def _any_request() -> Schema:
    return object_of({"id": ANY, "method": TEXT, "params": ANY}, ("id", "method"))


def _request(method: str, rights: ClientRights) -> Schema:
    params = or_null(params_of_method(method, rights))
    return object_of({"id": ANY, "method": {"const": method}, "params": params}, ("id", "method"))


def _others(*, is_open: bool) -> list[Schema]:
    """Messages other than requests: notifications, and replies to server requests."""
    known: Schema = TEXT if is_open else {"enum": sorted(NOTIFICATIONS)}
    reply = object_of({"id": {"type": ["string", "integer"]}, "result": ANY, "error": ANY}, ("id",))
    return [
        object_of({"method": known, "params": ANY}, ("method",)),
        {**reply, "anyOf": [{"required": ["result"]}, {"required": ["error"]}]},
    ]


def _calls(rights: ClientRights, *, is_open: bool) -> dict[tuple[str, str], Operation]:
    """A path for each named call, as their inputs differ."""
    result = json_of(ANY, "The result of the method.")
    status = json_of(ref("CodexStatus"), "How it is, also where the app-server does not answer.")
    named = {
        STATUS: _call("How the app-server is reached, and whether it answers.", or_null({"type": "object"}), status),
        CHAT: _chat(),
        RAW: _call("Call any method that passes.", _raw_input(is_open=is_open), result, needs_body=True),
    }
    for name, method in FORWARDED.items():
        given = {"type": "object"} if is_open else params_of_method(method, rights)
        named[name] = _call(f"`{method}`, with its parameters as the input.", or_null(given), result)
    named[STATUS] = named[STATUS]._replace(headers={})
    return {("POST", f"/skills/invoke/{name}"): call for name, call in named.items()}


def _call(words: str, given: Schema, answer: DocumentedAnswer, *, needs_body: bool = False) -> Operation:
    body = object_of({"input": given}, ("input",) if needs_body else ())
    return Operation(
        FACE,
        {200: answer},
        (404, 429, 502, 504),
        headers=_CLIENT,
        details=_DETAILS,
        body=body,
        needs_body=needs_body,
        words=words,
    )


def _raw_input(*, is_open: bool) -> Schema:
    return object_of({"method": TEXT if is_open else one_of(METHODS), "params": ANY}, ("method",))


def _chat() -> Operation:
    members = {name: or_null(_TYPES[kind]) for name, kind in INPUT.items()} | {"prompt": VISIBLE}
    given = {**object_of(members, ("prompt",)), "additionalProperties": {"type": "null"}}
    done = json_of(ref("CodexChat"), "The answer, and the turn that it is of.")
    call = _call("Run a turn to its end.", given, done, needs_body=True)
    failed = any_of(ref("Error"), {"allOf": [ref("CodexChat"), ref("Error")]})
    words = "It cannot be started; or it has failed: then with the members of the turn."
    return call._replace(
        answers={200: done, **{status: json_of(failed, words) for status in sorted({*TURN_STATUS.values(), 502})}},
        refusals=(404, 409, 504, 507),
        headers={},
        examples={"prompt": {"input": {"prompt": "Say hello."}}},
    )
