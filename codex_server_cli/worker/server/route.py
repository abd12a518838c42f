"""The route to the app-server that a turn's `meta.json` names. Owns reading that record; must not connect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codex_server_cli.codex.transport.connect import Route, route_of
from codex_server_cli.core.model.server.address import AddressError, ServerKind, parse_address
from codex_server_cli.core.model.server.record import text_of, url_of
from codex_server_cli.errors import BadInputError
from codex_server_cli.settings.config import read_config
from codex_server_cli.settings.places import Settings


def route_to(record: Mapping[str, Any], settings: Settings) -> Route:
    """The parameters of a connection to a turn's app-server: the recorded socket, the token from the recorded source.

    Args:
        record: `server` of `meta.json`. For our own shared server it has no socket before the turn has begun.

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
