"""The way to an app-server that runs already: what connecting takes, and the connecting itself. Owns `Route`.

The modules of the single ways are imported where one is taken: a launcher that looks whether a unix socket answers
loads nothing of TLS.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from codex_server_cli.core.model.server.address import DEFAULT_SOCKET, ServerAddress, ServerKind
from codex_server_cli.errors import BadInputError

if TYPE_CHECKING:
    from codex_server_cli.codex.transport.base import Link

TIMEOUT_S = 10.0
"""For a connection with its handshake: one to a unix socket takes 1 ms; a peer that is silent for so long is none."""


class Route(NamedTuple):
    """Everything that connecting takes. Made by `route_of`; it holds the secret, so it is never stored or shown.

    Attributes:
        socket_path: of `UNIX`, the default one filled in; of `SHARED`, that of the generation.
        token: of `WS`.
        server_command: of `SSH`: what is run there in place of `codex`.
    """

    address: ServerAddress
    socket_path: str | None = None
    token: str | None = None
    server_command: str | None = None

    def __repr__(self) -> str:
        """Without the token: a traceback shows it."""
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
    """Gather what connecting takes.

    Args:
        codex_home: whose default socket `unix://` is.
        token_file: the file that holds the bearer token.
        token_env: the variable that holds it.
        is_insecure: the token may go over the network unencrypted.

    Raises:
        BadInputError: the token cannot be used, or not there.
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
    """Connect to an app-server and shake hands, within `timeout_s`.

    Args:
        route: of kind `UNIX` or `WS`, or `SHARED` with a socket path.

    Raises:
        ServerError: there is none, it refuses, or it is none.
    """
    if route.socket_path is not None:
        from codex_server_cli.codex.transport.unix import connect_unix

        return connect_unix(route.socket_path, timeout_s)
    assert route.address.kind is ServerKind.WS, f"{route} cannot be connected to"
    from codex_server_cli.codex.transport.tcp import connect_tcp

    return connect_tcp(route.address, route.token, timeout_s)


def check_route(route: Route, *, timeout_s: float = TIMEOUT_S) -> None:
    """See whether `connect` would succeed, as cheaply as can be; of `SSH` nothing is seen.

    Raises:
        ServerError: as `connect`.
    """
    if route.socket_path is not None:
        from codex_server_cli.codex.transport.unix import open_socket

        open_socket(route.socket_path, timeout_s).close()
    elif route.address.kind is ServerKind.WS:
        from codex_server_cli.codex.transport.tcp import check_tcp

        check_tcp(route.address, route.token, timeout_s)
