"""The way to the app-server that a turn's `meta.json` names, and a query to it. Owns the reading of that record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from codex_server_cli.codex.client import CodexClient
from codex_server_cli.codex.transport.base import Link
from codex_server_cli.codex.transport.connect import Route, connect, route_of
from codex_server_cli.core.model.server.address import AddressError, ServerKind, parse_address
from codex_server_cli.core.model.server.record import text_of, url_of
from codex_server_cli.core.protocol.query import Query
from codex_server_cli.errors import BadInputError
from codex_server_cli.settings.config import read_config
from codex_server_cli.settings.places import Settings

T = TypeVar("T")
_CONNECT_S = 4.0


def route_to(record: Mapping[str, Any], settings: Settings) -> Route:
    """What connecting to a turn's app-server takes: its socket as recorded, its token from where the record says.

    Args:
        record: `server` of `meta.json`. One of our own shared server has no socket before the turn has begun.

    Raises:
        BadInputError: the token cannot be used any more, or the record is damaged.
    """
    try:
        address = parse_address(url_of(record))
    except AddressError as error:
        raise BadInputError(f"the turn's server: {error}", hint="Its meta.json was damaged or edited.") from error
    path = text_of(record, "path")
    if path is not None and address.kind in (ServerKind.UNIX, ServerKind.SHARED):
        return Route(address, path)
    is_ssh = address.kind is ServerKind.SSH
    return route_of(
        address,
        codex_home=settings.codex_home,
        token_file=text_of(record, "token_file"),
        token_env=text_of(record, "token_env"),
        is_insecure=record.get("is_insecure") is True,
        server_command=read_config(settings.config_path).server_command if is_ssh else None,
    )


def client_to(record: Mapping[str, Any], settings: Settings, *, connect_s: float = _CONNECT_S) -> CodexClient:
    """A client of a turn's app-server, to be used as a context manager.

    Raises:
        CodexServerError: it cannot be reached.
    """
    route = route_to(record, settings)
    return CodexClient.on(lambda: _link_to(route, connect_s), route.address.url)


def _link_to(route: Route, connect_s: float) -> Link:
    if route.address.kind is not ServerKind.SSH:
        return connect(route, timeout_s=connect_s)
    from codex_server_cli.codex.transport.ssh import SshServer

    return SshServer(route, may_bill_api_key=False)


def run_query_there(record: Mapping[str, Any], settings: Settings, query: Query[T], timeout_s: float) -> T:
    """Ask the app-server of a turn.

    Raises:
        CodexServerError: it cannot be reached, or does not answer in time.
    """
    with client_to(record, settings) as client:
        return client.run(query, timeout_s)
