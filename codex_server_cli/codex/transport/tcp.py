"""Connecting to an app-server over TCP, `ws://` and `wss://`. Owns the connection, TLS with the system's authorities.

No proxy is used. Resolving a name takes as long as the system's resolver allows. `_TlsWire` makes a TLS socket behave
like a plain non-blocking one.
"""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

from codex_server_cli.codex.transport.handshake import Deadline, check_page, shown, silent, upgrade
from codex_server_cli.codex.transport.websocket import WebSocketLink, Wire
from codex_server_cli.core.model.server.address import ServerAddress
from codex_server_cli.errors import ServerError

if TYPE_CHECKING:
    import ssl


def connect_tcp(address: ServerAddress, token: str | None, timeout_s: float) -> WebSocketLink:
    """Connect, encrypt for `wss`, and upgrade, within `timeout_s`.

    Raises:
        ServerError: there is no app-server, or it refuses.
    """
    deadline = Deadline(timeout_s)
    sock = _open(address, deadline)
    try:
        rest = upgrade(sock, address.url, deadline, host=_host(address), resource=address.resource, token=token)
        wire: Wire = _TlsWire(sock) if address.is_tls else sock  # type: ignore[arg-type]
        return WebSocketLink(wire, rest, has_pings=True)
    except BaseException:
        sock.close()
        raise


def check_tcp(address: ServerAddress, token: str | None, timeout_s: float) -> None:
    """Check whether an app-server listens and accepts the token.

    TLS, or a path, means that there is a proxy, which may not forward `/readyz`.

    Raises:
        ServerError: as `connect_tcp`.
    """
    if not address.is_tls and address.resource == "/":
        ask_page(address, "/readyz", timeout_s)
    link = connect_tcp(address, token, timeout_s)
    link.end()
    link.close()


def ask_page(address: ServerAddress, page: str, timeout_s: float) -> None:
    """Ask an app-server for `/readyz` or `/healthz`.

    Raises:
        ServerError: it cannot be reached, does not answer, or is no app-server.
    """
    deadline = Deadline(timeout_s)
    with _open(address, deadline) as sock:
        check_page(sock, address.url, deadline, host=_host(address), page=page)


def _open(address: ServerAddress, deadline: Deadline) -> socket.socket:
    """A connected, blocking socket, encrypted for `wss`.

    Raises:
        ServerError: nothing listens there.
    """
    try:
        sock = _connected(address, deadline)
    except TimeoutError as error:
        raise silent(address.url, deadline) from error
    if not address.is_tls:
        return sock
    try:
        return _encrypted(sock, address, deadline)
    except BaseException:
        sock.close()
        raise


def _connected(address: ServerAddress, deadline: Deadline) -> socket.socket:
    """A connection to the first of the host's addresses that accepts it; each gets a share of the time.

    Raises:
        TimeoutError: none accepts in time.
        ServerError: none accepts.
    """
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # UnicodeError: no name at all
        reason = getattr(error, "strerror", None) or "no name of a host"
        raise ServerError(
            f"the host of {shown(address.url)} is not known: {reason}", hint="See the name, and the network."
        ) from error
    reason = "no address"
    for left, (family, kind, protocol, _, place) in zip(range(len(found), 0, -1), found, strict=True):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(deadline.rest_s() / left)
            sock.connect(place)
        except TimeoutError:  # an IPv6 address without a route, for instance
            sock.close()
            if left == 1:
                raise
        except OSError as error:
            sock.close()
            reason = error.strerror or str(error)
        else:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a request is one small piece
            return sock
    raise ServerError(
        f"nothing can be reached at {shown(address.url)}: {reason}",
        hint="See whether an app-server runs there, and at which port; or name another one.",
    )


def _encrypted(sock: socket.socket, address: ServerAddress, deadline: Deadline) -> ssl.SSLSocket:
    """Do the TLS handshake.

    Raises:
        ServerError: it does not speak TLS, or its certificate is not trusted.
    """
    import ssl

    try:
        sock.settimeout(deadline.rest_s())
        return ssl.create_default_context().wrap_socket(sock, server_hostname=address.host)
    except TimeoutError as error:
        raise silent(address.url, deadline) from error
    except ssl.SSLCertVerificationError as error:
        raise ServerError(
            f"the certificate of {shown(address.url)} is not trusted: {error.verify_message}",
            hint="SSL_CERT_FILE=FILE names the authority that signed it; a server of your own: ssh://, or ssh -L.",
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a host that is no name in a certificate
        raise ServerError(
            f"{shown(address.url)} does not speak TLS ({getattr(error, 'reason', None) or error})",
            hint="An app-server itself speaks ws:// alone: wss:// needs a TLS proxy in front of it.",
        ) from error


def _host(address: ServerAddress) -> str:
    host = f"[{address.host}]" if ":" in address.host else address.host
    return host if address.is_tls and address.port == 443 else f"{host}:{address.port}"


class _TlsWire:
    """A TLS socket that behaves like a plain non-blocking one."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        import ssl

        self._sock = sock
        self._waits = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
        self.fileno, self.close = sock.fileno, sock.close

    def recv(self, bufsize: int, /) -> bytes:
        """Read until the socket has no more: data that OpenSSL has buffered does not make the descriptor readable."""
        pieces: list[bytes] = []
        try:
            while sum(map(len, pieces)) < bufsize or self._sock.pending():
                piece = self._sock.recv(bufsize)
                if not piece:
                    break  # the next call reports EOF again
                pieces.append(piece)
        except self._waits:
            if not pieces:
                raise BlockingIOError from None
        except OSError:
            if not pieces:
                raise
        return b"".join(pieces)

    def send(self, data: bytearray, /) -> int:
        """As of a plain socket."""
        try:
            return self._sock.send(data)
        except self._waits:
            raise BlockingIOError from None

    def shutdown(self, how: int, /) -> None:
        """As of a plain socket: the TLS socket's own method would continue in plain text."""
        socket.socket.shutdown(self._sock, how)
