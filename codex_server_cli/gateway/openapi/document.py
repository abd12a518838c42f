"""The whole document, built from the application's routes. Owns matching a route with its description."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from starlette.routing import BaseRoute, Route, WebSocketRoute

from codex_server_cli import __version__
from codex_server_cli.core.protocol.allow_list import ClientRights
from codex_server_cli.gateway.openapi import bridge, chat, figures, responses, service, turn_schemas, turns
from codex_server_cli.gateway.openapi.operation import TOKEN, Operation, operation_object
from codex_server_cli.gateway.openapi.schema import ERROR, Schema
from codex_server_cli.gateway.options import ServeOptions

_SCHEMAS: Schema = {
    "Error": ERROR,
    **service.SCHEMAS,
    **figures.SCHEMAS,
    **turn_schemas.SCHEMAS,
    **bridge.SCHEMAS,
    **chat.SCHEMAS,
    **responses.SCHEMAS,
}
_NAMED = "/skills/invoke/{name}"
_WORDS = """Codex over HTTP. Errors have one form on every path. Every GET of JSON or text answers HEAD, too; the paths
of OpenAI's API also without `/v1`. Beside this document there is references/gateway.md."""


class Described(NamedTuple):
    """A method on a path of the application, and the docstring of its endpoint."""

    method: str
    path: str
    words: str


def document_of(routes: Iterable[BaseRoute], options: ServeOptions) -> Schema:
    """The document.

    Args:
        routes: of the application; each one in the schema has a description.
        options: of the gateway; they determine what passes.
    """
    known = operations_of(options)
    paths: dict[str, Schema] = {}
    for method, path, words in described_in(routes, known):
        paths.setdefault(path, {})[method.lower()] = operation_object(known[method, path], method, path, words)
    token: Schema = {TOKEN: []}
    return {
        "openapi": "3.1.0",
        "info": {"title": "codex-server", "version": __version__, "description": " ".join(_WORDS.split())},
        "servers": [{"url": "/"}],
        "security": [token] if options.token is not None else [{}, token],
        "paths": paths,
        "components": {
            "schemas": _SCHEMAS,
            "headers": {
                "RequestId": {"description": "Its id in the log.", "required": True, "schema": {"type": "string"}}
            },
            "securitySchemes": {TOKEN: {"type": "http", "scheme": "bearer"}},
        },
    }


def operations_of(options: ServeOptions) -> dict[tuple[str, str], Operation]:
    """All operations, by method and path."""
    rights = ClientRights(options.cwd, options.may_write)
    return {
        **service.operations(),
        **figures.operations(),
        **chat.operations(is_strict=options.is_strict),
        **responses.operations(is_strict=options.is_strict),
        **bridge.operations(rights, is_open=options.has_raw_rpc),
        **turns.operations(),
    }


def described_in(routes: Iterable[BaseRoute], known: Iterable[tuple[str, str]]) -> Iterator[Described]:
    """The methods and paths of an application, as the document has them; each named call is a separate path."""
    for route in routes:
        if not isinstance(route, Route | WebSocketRoute) or not getattr(route, "include_in_schema", True):
            continue
        words = route.endpoint.__doc__ or ""
        methods = route.methods or set() if isinstance(route, Route) else {"GET"}
        for path in _paths_of(route.path, known):
            yield from (Described(method, path, words) for method in sorted(methods - {"HEAD"}))


def _paths_of(path: str, known: Iterable[tuple[str, str]]) -> list[str]:
    if path == _NAMED:
        return [each for _, each in known if each.startswith(path.partition("{")[0])]
    return [re.sub(r":\w+\}", "}", path)]
