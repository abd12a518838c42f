"""One operation of the document: a method on a path. Owns its OpenAPI form, and which refusals every operation has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from codex_server_cli.gateway.openapi.schema import SWITCH, TEXT, WHOLE, Schema, ref
from codex_server_cli.gateway.turns.query import QueryForm

JSON, EVENTS, PLAIN, HTML = "application/json", "text/event-stream", "text/plain", "text/html"
TOKEN = "token"
"""The name of the security scheme."""

_REFUSALS = {
    400: "The request is wrong: `param` and the message say what.",
    401: "No token, or another one (`invalid_api_key`); or nobody is logged in at Codex.",
    403: "It is not allowed here: the message names the flag of `serve` that would allow it.",
    404: "There is no such thing here.",
    408: "The body did not come in time.",
    409: "It cannot be done as things stand.",
    410: "These events are kept no more.",
    413: "The body is too large.",
    415: "The body has a `Content-Encoding` other than gzip and deflate.",
    426: "The request asks for no WebSocket.",
    429: "Too much at once, or a limit of the account is reached; `Retry-After` where that helps.",
    500: "A defect of codex-server.",
    502: "The service behind Codex, or Codex, has failed.",
    503: "The app-server cannot be had, the service is overloaded, or the gateway is shutting down or busy.",
    504: "It took too long.",
    507: "The home of codex-server cannot be read or written.",
}
OPEN: tuple[int, ...] = (400, 403, 500, 503)
"""The refusals of what wants no token."""
_EVERY = (*OPEN, 401)
_OF_BODIES = (408, 413, 415)
_QUERY_SCHEMA: Mapping[QueryForm, Schema] = {
    QueryForm.TEXT: TEXT,
    QueryForm.SWITCH: SWITCH,
    QueryForm.NUMBER: WHOLE,
    QueryForm.SECONDS: TEXT,
}


class DocumentedAnswer(NamedTuple):
    """An answer that is no refusal, or a refusal with a body of its own.

    Attributes:
        words: what it is.
        contents: media type → the schema of the body; empty where there is none.
        headers: of the answer: name → what it is.
        links: operations that it leads to, by name, each with the parameters that stand in the answer.
    """

    words: str
    contents: Mapping[str, Schema] = {}
    headers: Mapping[str, str] = {}
    links: Mapping[str, Mapping[str, str]] = {}


class Operation(NamedTuple):
    """What there is to say of a method on a path.

    Attributes:
        face: the group that it is shown in.
        answers: by status.
        refusals: statuses that have the usual body, beside those that every operation has.
        query: the parameters behind the path, with their forms; `details` has more of some of these schemas.
        headers: the request's headers that have an effect: name → what they do.
        path: schemas of parameters in the path, where these are no text alone.
        body: the schema of the JSON body; None where there is none.
        needs_body: whether it may not be left out.
        examples: bodies by name.
        is_open: answers without a token.
        words: what it does, where its endpoint's own docstring does not say it.
    """

    face: str
    answers: Mapping[int, DocumentedAnswer]
    refusals: tuple[int, ...] = ()
    query: Mapping[str, QueryForm] = {}
    details: Mapping[str, Schema] = {}
    headers: Mapping[str, str] = {}
    path: Mapping[str, Schema] = {}
    body: Schema | None = None
    needs_body: bool = True
    examples: Mapping[str, Schema] = {}
    is_open: bool = False
    words: str = ""


def json_of(schema: Schema, words: str) -> DocumentedAnswer:
    """An answer in JSON."""
    return DocumentedAnswer(words, {JSON: schema})


def operation_object(operation: Operation, method: str, path: str, words: str) -> Schema:
    """The OpenAPI object.

    Args:
        method: in capitals.
        path: as the document has it.
        words: a sentence that says what it does, and perhaps more of them.
    """
    summary, _, rest = " ".join((operation.words or words).split()).partition(". ")
    parameters = [*_path_parameters(operation, path), *_query_parameters(operation), *_header_parameters(operation)]
    found: Schema = {
        "operationId": operation_id(method, path),
        "tags": [operation.face],
        "summary": summary.rstrip("."),
    }
    if rest:
        found["description"] = rest
    if parameters:
        found["parameters"] = parameters
    if operation.body is not None:
        found["requestBody"] = _request_body(operation, operation.body)
    if operation.is_open:
        found["security"] = [{}, {TOKEN: []}]
    return {**found, "responses": _responses(operation)}


def operation_id(method: str, path: str) -> str:
    """A name for generated code: `get_turns_turn_events`."""
    return "_".join([method.lower(), *(re.findall(r"\w+", path.replace("-", "_").replace(".", "_")) or ["root"])])


def _path_parameters(operation: Operation, path: str) -> list[Schema]:
    return [
        {"name": name, "in": "path", "required": True, "schema": operation.path.get(name, TEXT)}
        for name in re.findall(r"\{(\w+)\}", path)
    ]


def _query_parameters(operation: Operation) -> list[Schema]:
    return [
        {"name": name, "in": "query", "schema": {**_QUERY_SCHEMA[form], **operation.details.get(name, {})}}
        for name, form in operation.query.items()
    ]


def _header_parameters(operation: Operation) -> list[Schema]:
    return [
        {"name": name, "in": "header", "description": words, "schema": {**TEXT, **operation.details.get(name, {})}}
        for name, words in operation.headers.items()
    ]


def _request_body(operation: Operation, schema: Schema) -> Schema:
    content: Schema = {"schema": schema}
    if operation.examples:
        content["examples"] = {name: {"value": value} for name, value in operation.examples.items()}
    return {"required": operation.needs_body, "content": {JSON: content}}


def _responses(operation: Operation) -> Schema:
    always = OPEN if operation.is_open else _EVERY
    refusals = {*always, *operation.refusals, *(_OF_BODIES if operation.body is not None else ())}
    refused = {status: json_of(ref("Error"), _REFUSALS[status]) for status in refusals}
    answers = {**refused, **operation.answers}
    return {str(status): _response(answers[status]) for status in sorted(answers)}


def _response(answer: DocumentedAnswer) -> Schema:
    headers: Schema = {"x-request-id": {"$ref": "#/components/headers/RequestId"}}
    headers |= {name: {"description": words, "schema": TEXT} for name, words in answer.headers.items()}
    found: Schema = {"description": answer.words, "headers": headers}
    if answer.contents:
        found["content"] = {media: {"schema": schema} for media, schema in answer.contents.items()}
    if answer.links:
        found["links"] = {name: {"operationId": name, "parameters": {**given}} for name, given in answer.links.items()}
    return found
