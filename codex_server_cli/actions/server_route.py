"""From the address of an app-server to a link: the route, and the function that opens it. Owns that mapping.

Must never probe the server before a link is opened, nor keep a secret outside of a `Route`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from codex_server_cli.actions.start.options import GivenServer
from codex_server_cli.actions.start.place.server import address_of
from codex_server_cli.codex.transport.connect import TIMEOUT_S, Route, route_of
from codex_server_cli.codex.transport.opening import open_link
from codex_server_cli.core.model.server.address import ServerAddress, ServerKind
from codex_server_cli.settings.config import Config, read_config
from codex_server_cli.settings.places import Settings

if TYPE_CHECKING:
    from codex_server_cli.codex.transport.base import Link


class Connector(NamedTuple):
    """How a single command reaches its app-server.

    Attributes:
        open_link: see `opener_of`.
        address: its URL.
        is_socket: whether it is behind a socket, and outlives the command.
    """

    open_link: Callable[[], Link]
    address: str
    is_socket: bool


def connector_for(settings: Settings, given: GivenServer, *, within_s: float = TIMEOUT_S) -> Connector:
    """The connector to the app-server that the flags name, else `config.json`.

    Args:
        within_s: see `opener_of`.

    Raises:
        UsageError, BadInputError: the address is invalid.
        CodexServerError: as `opener_of`.
    """
    config = read_config(settings.config_path)
    address = address_of(settings, given, config)
    opener = opener_of(settings, config, route_for(settings, config, address, given), within_s=within_s)
    return Connector(opener, address.url, address.is_socket)


def route_for(
    settings: Settings,
    config: Config,
    address: ServerAddress,
    given: GivenServer,
) -> Route:
    """Everything that is needed to connect to an address.

    Args:
        given: the token flags.

    Raises:
        BadInputError: the token cannot be used.
    """
    return route_of(
        address,
        codex_home=settings.codex_home,
        token_file=given.token_file,
        token_env=given.token_env,
        is_insecure=given.is_insecure,
        server_command=config.server_command,
    )


def opener_of(settings: Settings, config: Config, route: Route, *, within_s: float = TIMEOUT_S) -> Callable[[], Link]:
    """A function that opens a link for a single command; a spawned app-server starts in the current directory.

    Args:
        within_s: the time limit of the whole command, which may be less than that of a connection.

    Raises (also what is returned):
        CodexMissingError: no usable codex.
        BadInputError: `CODEX_HOME` cannot be used.
        ServerError: there is none, or it refuses.
        OSError: a process cannot be started.
    """
    kind = route.address.kind
    if kind is ServerKind.SPAWN:
        return _spawning(settings, config)
    if kind is ServerKind.SHARED:
        from codex_server_cli.actions.shared_route import open_shared

        return lambda: open_shared(settings, config)
    timeout_s = min(TIMEOUT_S, within_s)
    return lambda: open_link(route, may_bill_api_key=config.may_bill_api_key, timeout_s=timeout_s)


def _spawning(settings: Settings, config: Config) -> Callable[[], Link]:
    from codex_server_cli.actions.read.read import check_codex_home
    from codex_server_cli.codex.binary import find_codex
    from codex_server_cli.codex.transport.spawned import AppServer

    codex = find_codex(config.codex, settings.search_path).path
    check_codex_home(settings)
    return lambda: AppServer(codex, os.getcwd(), may_bill_api_key=config.may_bill_api_key)  # noqa: PTH109
