"""Connecting to an app-server that runs already, and the parameters of that. Owns `Route`.

The module of each transport is imported only when it is used: a launcher that probes a unix socket does not load TLS.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from codex_server_cli.core.model.server.address import DEFAULT_SOCKET, ServerAddress, ServerKind
from codex_server_cli.errors import BadInputError

if TYPE_CHECKING:
    from codex_server_cli.codex.transport.base import Link

TIMEOUT_S = 10.0
"""For a connection with its handshake: 1 ms on a unix socket; a peer that is silent for longer is no app-server."""


class Route(NamedTuple):
    """All parameters of a connection. Made by `route_of`; it has the secret, so it is never stored or shown.

    Attributes:
        socket_path: for `UNIX`, with the default filled in; for `SHARED`, that of the generation.
        token: for `WS`.
        server_command: for `SSH`: runs there in place of `codex`.
    """

    address: ServerAddress
    socket_path: str | None = None
    token: str | None = None
    server_command: str | None = None

    def __repr__(self) -> str:
        """Without the token: a traceback shows this text."""
        return f"Route({self.address.url!r}, socket_path={self.socket_path!r}, has_token={self.token is not None})"


def route_of(
    address: ServerAddress,
    *,
    codex_home: Path,
    token_file: str | None = None,
    token_env: str | None = None,
    is_insecure: bool = False,
    server_command: str | None = None,
) -> Route:
    """Gather the parameters of a connection.

    Args:
        codex_home: has the default socket, `unix://`.
        token_file: the file that holds the bearer token.
        token_env: the variable that holds it.
        is_insecure: the token may go over the network unencrypted.

    Raises:
        BadInputError: the token cannot be used, or not with this address.
    """
    if address.kind is not ServerKind.WS:
        if token_file is not None or token_env is not None:
            raise BadInputError(
                f"{address.url} takes no token", hint="Leave the token out: it is for ws:// and wss:// alone."
            )
        return Route(address, _socket_path(address, codex_home), None, server_command)
    from codex_server_cli.codex.transport.bearer import read_token

    token = read_token(token_file, token_env)
    if token is not None and not (address.is_tls or address.is_loopback or is_insecure):
        raise BadInputError(
            f"{address.url} would send the token unencrypted over the network",
            hint="Use wss://, or `ssh -L` and ws://127.0.0.1:PORT; --insecure sends it all the same.",
        )
    return Route(address, token=token)


def _socket_path(address: ServerAddress, codex_home: Path) -> str | None:
    if address.kind is not ServerKind.UNIX or address.path is not None:
        return address.path
    return str(codex_home / DEFAULT_SOCKET)


def connect(route: Route, *, timeout_s: float = TIMEOUT_S) -> Link:
    """Connect to an app-server and do the handshake, within `timeout_s`.

    Args:
        route: of kind `UNIX` or `WS`, or `SHARED` with a socket path.

    Raises:
        ServerError: nothing listens, it refuses, or it is no app-server.
    """
    if route.socket_path is not None:
        from codex_server_cli.codex.transport.unix import connect_unix

        return connect_unix(route.socket_path, timeout_s)
    assert route.address.kind is ServerKind.WS, f"{route} cannot be connected to"
    from codex_server_cli.codex.transport.tcp import connect_tcp

    return connect_tcp(route.address, route.token, timeout_s)


def check_route(route: Route, *, timeout_s: float = TIMEOUT_S) -> None:
    """Check as cheaply as possible whether `connect` would succeed; does nothing for `SSH`.

    Raises:
        ServerError: as `connect`.
    """
    if route.socket_path is not None:
        from codex_server_cli.codex.transport.unix import open_socket

        open_socket(route.socket_path, timeout_s).close()
    elif route.address.kind is ServerKind.WS:
        from codex_server_cli.codex.transport.tcp import check_tcp

        check_tcp(route.address, route.token, timeout_s)
