"""One operation of the document: a method on a path. Owns its OpenAPI form, and the errors that every operation has."""

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
    401: "No token, or another one (`invalid_api_key`); or Codex has no login.",
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
"""Errors of operations that need no token."""
_EVERY = (*OPEN, 401)
_OF_BODIES = (408, 413, 415)
_QUERY_SCHEMA: Mapping[QueryForm, Schema] = {
    QueryForm.TEXT: TEXT,
    QueryForm.SWITCH: SWITCH,
    QueryForm.NUMBER: WHOLE,
    QueryForm.SECONDS: TEXT,
}


class DocumentedAnswer(NamedTuple):
    """A documented response: a success, or an error with a body of its own.

    Attributes:
        words: its description.
        contents: media type → schema of the body; empty if there is no body.
        headers: name → description.
        links: operations that follow from it, by name, each with parameters taken from the response.
    """

    words: str
    contents: Mapping[str, Schema] = {}
    headers: Mapping[str, str] = {}
    links: Mapping[str, Mapping[str, str]] = {}


class Operation(NamedTuple):
    """The description of a method on a path.

    Attributes:
        face: the group in which it is shown.
        answers: by status.
        refusals: status codes with the usual error body, besides those that every operation has.
        query: the query parameters, with their types; `details` extends some of these schemas.
        headers: request headers that have an effect: name → description.
        path: schemas of path parameters that are more than text.
        body: the schema of the JSON body; None if there is no body.
        needs_body: whether the body is required.
        examples: bodies by name.
        is_open: whether it needs no token.
        words: its description, if the docstring of its endpoint does not have it.
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
    """A response in JSON."""
    return DocumentedAnswer(words, {JSON: schema})


def operation_object(operation: Operation, method: str, path: str, words: str) -> Schema:
    """The OpenAPI object.

    Args:
        method: in upper case.
        path: as in the document.
        words: its description, one sentence or more.
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
