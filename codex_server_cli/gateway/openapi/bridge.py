"""The operations of the bridge. Owns the shape of its messages; what passes is the allow-list's (`core.protocol`).

The types of a method's parameters are Codex's own, and not repeated here: `codex app-server generate-json-schema`.
"""

from __future__ import annotations

from collections.abc import Mapping

from codex_server_cli.core.model.turn import State
from codex_server_cli.core.protocol.allow_list import (
    DATA_URL,
    INPUTS,
    METHODS,
    NOTIFICATIONS,
    PARAMETERS,
    ClientRights,
    set_rights,
)
from codex_server_cli.gateway.bridge.calls import CHAT, FORWARDED, RAW, STATUS
from codex_server_cli.gateway.bridge.chat import INPUT, TURN_STATUS
from codex_server_cli.gateway.bridge.messages import CLIENT_HEADER
from codex_server_cli.gateway.openapi.operation import EVENTS, Answer, Operation, json_of
from codex_server_cli.gateway.openapi.schema import (
    ANY,
    SWITCH,
    TEXT,
    WHOLE,
    Schema,
    any_of,
    described,
    list_of,
    object_of,
    one_of,
    or_null,
    ref,
)

FACE = "bridge"
_CLIENT = {CLIENT_HEADER: "A name that keeps this client's handles apart from those of others."}
_DETAILS: Mapping[str, Schema] = {
    CLIENT_HEADER: {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
}
_EVENT_ID = "The `id` of the last event that was seen: the stream goes on behind it."
_OBJECT: Schema = {"type": "object"}
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
        rights: of a client.
        is_open: whether every message passes.
    """
    requests = [_any_request()] if is_open else [_request(method, rights) for method in METHODS]
    reply = json_of(ref("RpcReply"), "The reply to a request.")
    nothing = Answer("It was no request: nothing is replied.")
    stream = Answer("The events of the call and its turn, to the end.", {EVENTS: TEXT})
    nothing_more = Answer("Nothing follows the last event that was seen.")
    upgrade = Answer("The connection is a WebSocket now.")
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
            body=any_of(*requests),
            examples=_EXAMPLES,
        ),
        ("GET", "/stream"): Operation(
            FACE, {200: stream, 204: nothing_more}, (410,), headers={"Last-Event-ID": _EVENT_ID}
        ),
        ("GET", "/ws"): Operation(FACE, {101: upgrade}, (426, 429), words=_SOCKET),
        **_calls(rights, is_open=is_open),
    }


def _any_request() -> Schema:
    return object_of({"id": ANY, "method": TEXT, "params": ANY}, ("id", "method"))


def _request(method: str, rights: ClientRights) -> Schema:
    params = or_null(_params(method, rights))
    return object_of({"id": ANY, "method": {"const": method}, "params": params}, ("id", "method"))


def _params(method: str, rights: ClientRights) -> Schema:
    """The parameters of a method that pass; others may be null."""
    members: dict[str, Schema] = {name: ANY for name in sorted(PARAMETERS[method])}
    if "input" in members:
        members["input"] = list_of(any_of(*(_input(kind) for kind in INPUTS)))
    for name in set_rights(method, {}, rights):
        members[name] = described(ANY, "Set by the gateway; may be given with the value that it gets anyway.")
    return {**object_of(members), "additionalProperties": {"type": "null"}}


def _input(kind: str) -> Schema:
    members = {name: ANY for name in sorted(INPUTS[kind])} | {"type": {"const": kind}}
    if "url" in members:
        members["url"] = {"type": "string", "pattern": f"^{DATA_URL}"}
    return {**object_of(members, ("type",)), "additionalProperties": {"type": "null"}}


def _others(*, is_open: bool) -> list[Schema]:
    """What is no request: notifications, and replies to requests of the app-server."""
    known: Schema = TEXT if is_open else {"enum": sorted(NOTIFICATIONS)}
    return [object_of({"method": known, "params": ANY}, ("method",)), ref("RpcReply")]


def _calls(rights: ClientRights, *, is_open: bool) -> dict[tuple[str, str], Operation]:
    """A path for each: their inputs differ."""
    result = json_of(ANY, "The result of the method.")
    status = json_of(ref("CodexStatus"), "How it is, also where the app-server does not answer.")
    named = {
        STATUS: _call("How the app-server is reached, and whether it answers.", ANY, status),
        CHAT: _chat(),
        RAW: _call("Call any method that passes.", _raw_input(is_open=is_open), result, needs_body=True),
    }
    for name, method in FORWARDED.items():
        given = {"type": "object"} if is_open else _params(method, rights)
        named[name] = _call(f"`{method}`, with its parameters as the input.", or_null(given), result)
    return {("POST", f"/skills/invoke/{name}"): call for name, call in named.items()}


def _call(words: str, given: Schema, answer: Answer, *, needs_body: bool = False) -> Operation:
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
    members = {name: or_null(_TYPES[kind]) for name, kind in INPUT.items()}
    given = {**object_of({**members, "prompt": TEXT}, ("prompt",)), "additionalProperties": {"type": "null"}}
    done = json_of(ref("CodexChat"), "The answer, and the turn that it is of.")
    call = _call("Run a turn to its end.", given, done, needs_body=True)
    failed = any_of(ref("Error"), {"allOf": [ref("CodexChat"), ref("Error")]})
    words = "It cannot be started; or it has failed: then with the members of the turn."
    return call._replace(
        answers={200: done, **{status: json_of(failed, words) for status in sorted({*TURN_STATUS.values(), 502})}},
        refusals=(404, 409, 504, 507),
        examples={"prompt": {"input": {"prompt": "Say hello."}}},
    )
