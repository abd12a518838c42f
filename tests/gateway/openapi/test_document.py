"""The OpenAPI document: it describes what the application answers, all of it and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import httpx
from jsonschema import Draft202012Validator

from codex_server_cli.core.documents import turn as turn_documents
from codex_server_cli.core.documents.changes import changes_document
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.openai.parameter import Treatment
from codex_server_cli.core.openai.parameters import PARAMETERS
from codex_server_cli.core.openai.responses.document import ResponseHead, response_document
from codex_server_cli.core.openai.responses.parameters import RESPONSE_PARAMETERS
from codex_server_cli.core.protocol.allow_list import METHODS
from codex_server_cli.core.protocol.allow_list import PARAMETERS as ALLOWED
from codex_server_cli.core.record.approval_request import ApprovalRequest, RequestKind
from codex_server_cli.gateway.access_log import AccessLog
from codex_server_cli.gateway.app import make_app
from codex_server_cli.gateway.middleware import RequestMiddleware
from codex_server_cli.gateway.openapi.bridge_parameters import TYPES
from codex_server_cli.gateway.openapi.chat import USED
from codex_server_cli.gateway.openapi.document import described_in, document_of, operations_of
from codex_server_cli.gateway.openapi.responses import RESPONSE_FIELDS
from codex_server_cli.gateway.openapi.responses import USED as USED_BY_RESPONSES
from codex_server_cli.gateway.openapi.turn_schemas import REQUEST_FIELDS, TURN_FIELDS
from codex_server_cli.gateway.options import ServeOptions
from codex_server_cli.gateway.state import Gateway
from codex_server_cli.settings.places import Settings
from tests.core.documents.test_turn import COMPLETE, RUNNING, TURN_ID, UNREADABLE
from tests.kit.cases import for_each

LOCAL = ServeOptions()
WITH_TOKEN = ServeOptions(token="t" * 43, has_raw_rpc=True, is_strict=True)
ENTRY = ApprovalRequest("0", 0, RequestKind.COMMAND, {"threadId": "t"}, None, 0, 0).to_json()
FAILED = TurnView(TURN_ID, "/d", State.FAILED, error={"kind": "other", "message": "m", "hint": "h"})


class _NoLog(AccessLog):
    """Writes nothing."""

    def __init__(self) -> None:
        super().__init__(is_for_people=False)

    def say(self, event: str, **facts: Any) -> None:
        """See `AccessLog`."""


def asked(options: ServeOptions, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    """What a gateway without an app-server answers."""

    async def ask() -> httpx.Response:
        gateway = Gateway(Settings.load(), options)
        middleware = RequestMiddleware(gateway, make_app(gateway), _NoLog())
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=middleware), base_url="http://localhost"
        ) as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(ask())


def document(options: ServeOptions = LOCAL) -> Any:
    """The document of a gateway."""

    async def make() -> Any:
        return document_of(make_app(Gateway(Settings.load(), options)).routes, options)

    return asyncio.run(make())


@cache
def local() -> Any:
    """That of a gateway without flags; made where it is first wanted, not by every process that collects tests."""
    return document()


def schemas_in(value: Any) -> Iterator[Any]:
    """All schemas of a document."""
    if isinstance(value, dict):
        if isinstance(value.get("schema"), dict):
            yield value["schema"]
        for inner in value.values():
            yield from schemas_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from schemas_in(inner)


def closed(name: str) -> Any:
    """A schema of the document that has no member beside those it names."""
    return {**local()["components"]["schemas"][name], "additionalProperties": False}


def fits(name: str, value: Any) -> None:
    """Check a document as it is sent."""
    Draft202012Validator(closed(name)).validate(json.loads(turn_documents.dump(value, is_indented=False)))


@for_each("options", [LOCAL, WITH_TOKEN], ids=["local", "open"])
def test_every_route_is_described_and_every_description_is_of_a_route(options: ServeOptions) -> None:
    async def compare() -> None:
        known = operations_of(options)
        routes = make_app(Gateway(Settings.load(), options)).routes
        assert {(method, path) for method, path, _ in described_in(routes, known)} == set(known)

    asyncio.run(compare())


def test_every_schema_is_one_and_each_reference_leads_to_one() -> None:
    made = local()
    named = made["components"]["schemas"]
    for schema in [*schemas_in(made["paths"]), *named.values()]:
        Draft202012Validator.check_schema(schema)
    text = json.dumps(made)
    assert {each.split('"')[0] for each in text.split("#/components/schemas/")[1:]} == set(named)


def test_every_operation_has_a_name_of_its_own_and_words() -> None:
    operations = [each for path in local()["paths"].values() for each in path.values()]
    names = [each["operationId"] for each in operations]
    assert len(set(names)) == len(names)
    assert [each["operationId"] for each in operations if not each["summary"]] == []


def test_every_parameter_of_a_chat_is_described_with_what_becomes_of_it() -> None:
    assert set(USED) == {each.name for each in PARAMETERS if each.treatment is Treatment.USED}
    body = local()["paths"]["/v1/chat/completions"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    members = body["properties"]
    assert members["temperature"]["description"].startswith("Ignored: ")
    assert members["n"]["enum"] == [None, 1, True]
    strict = document(WITH_TOKEN)["paths"]["/v1/chat/completions"]["post"]["requestBody"]["content"]
    assert strict["application/json"]["schema"]["properties"]["temperature"]["enum"] == [None, 1, True]


def test_a_response_is_described_with_all_that_it_takes_and_gives() -> None:
    assert set(USED_BY_RESPONSES) == {each.name for each in RESPONSE_PARAMETERS if each.treatment is Treatment.USED}
    made = response_document(ResponseHead("resp_1", 1, "m"), status="queued", output=[], usage=None)
    assert set(made) == set(RESPONSE_FIELDS)
    fits("Response", made)


def test_the_members_of_turns_and_requests_are_those_of_their_documents() -> None:
    assert set(TURN_FIELDS) == set(turn_documents.status_keys())
    assert set(REQUEST_FIELDS) == set(turn_documents.pending_keys())


@for_each("is_full", [True, False], ids=["full", "lean"])
@for_each("view", [RUNNING, COMPLETE, UNREADABLE, FAILED], ids=["running", "complete", "unreadable", "failed"])
def test_the_documents_of_a_turn_are_as_described(view: TurnView, *, is_full: bool) -> None:
    fits("Turn", turn_documents.status(view, is_full=is_full))
    fits("TurnWithAnswer", turn_documents.status_with_answer(view, is_full=is_full))
    fits("TurnStarted", turn_documents.started(view, is_full=is_full, is_existing=True) | {"warnings": ["w"]})
    fits("TurnSteered", turn_documents.steered(view, "t", is_full=is_full))
    fits("TurnDecided", turn_documents.decided(view, "reply", ENTRY, is_full=is_full))
    row = turn_documents.listed(view, "p", is_full=is_full)
    fits("TurnList", {"version": 2, "turns": [row], "before": TURN_ID})
    assert set(row) - {"prompt"} <= set(local()["components"]["schemas"]["Turn"]["properties"])
    shown = turn_documents.pending(view, ENTRY, 0, is_full=is_full)
    fits("TurnPending", {"version": 2, "turn_id": TURN_ID, "pending": [shown]})
    assert set(shown) <= set(REQUEST_FIELDS)
    fits("TurnChanges", changes_document(TURN_ID, [{"path": "a"}], None, "diff", None, is_full=is_full))


def test_it_is_served_with_the_token_alone_and_listed() -> None:
    refused = asked(WITH_TOKEN, "/openapi.json")
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
    found = asked(WITH_TOKEN, "/openapi.json", authorization=f"Bearer {WITH_TOKEN.token}").json()
    assert (found["openapi"], found["security"]) == ("3.1.0", [{"token": []}])
    assert found["components"]["securitySchemes"] == {"token": {"type": "http", "scheme": "bearer"}}
    assert found["paths"]["/healthz"]["get"]["security"] == [{}, {"token": []}]
    assert local()["security"] == [{}, {"token": []}]
    assert "GET /openapi.json" in asked(LOCAL, "/").json()["routes"]


def test_it_says_which_messages_pass() -> None:
    def methods(options: ServeOptions) -> list[Any]:
        body = document(options)["paths"]["/stream"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        return [each["properties"]["method"].get("const") for each in body["anyOf"]]

    assert methods(LOCAL) == [each for each in METHODS if each != "initialize"]
    assert methods(WITH_TOKEN) == [None], "every method"


def test_every_parameter_of_the_bridge_has_a_type() -> None:
    assert set(TYPES) == set().union(*ALLOWED.values())


def test_a_named_call_is_a_path_of_its_own() -> None:
    unknown = asked(LOCAL, "/skills/invoke/nothing", "POST").json()["error"]["message"]
    named = {path.rpartition("/")[2] for path in local()["paths"] if path.startswith("/skills/")}
    assert named == set(unknown.partition("there are ")[2].split(", "))


def test_a_request_for_the_socket_that_is_no_upgrade_is_told_so() -> None:
    answer = asked(LOCAL, "/ws")
    assert (answer.status_code, answer.headers["upgrade"]) == (426, "websocket")
    assert answer.json()["error"]["code"] == "upgrade_required"


def test_a_path_says_which_methods_it_takes() -> None:
    for path, methods in {
        "/turns": "GET, HEAD, OPTIONS, POST",
        "/healthz": "GET, HEAD, OPTIONS",
        "/no": "OPTIONS",
    }.items():
        assert asked(LOCAL, path, "OPTIONS").headers["allow"] == methods


def test_another_method_below_v1_is_refused_as_one_and_another_path_as_none() -> None:
    answer = asked(LOCAL, "/v1/models", "POST")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert answer.json()["error"]["code"] == "method_not_allowed"
    assert asked(LOCAL, "/v1/embeddings", "POST").status_code == 404
