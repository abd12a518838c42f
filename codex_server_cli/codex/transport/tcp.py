"""The way to an app-server over TCP, `ws://` and `wss://`. Owns the connecting, TLS with the system's authorities.

No proxy is used. Looking up a name takes as long as the system's resolver lets it. A TLS socket
is made to look like a plain one that does not block (`_TlsWire`).
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
    """Connect, encrypt where it is `wss`, and upgrade, within `timeout_s`.

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
    """See whether an app-server is there and takes the token.

    Behind TLS, or at a path, there is a proxy, which need not pass `/readyz` on.

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
        ServerError: it cannot be reached, does not answer, or is none.
    """
    deadline = Deadline(timeout_s)
    with _open(address, deadline) as sock:
        check_page(sock, address.url, deadline, host=_host(address), page=page)


def _open(address: ServerAddress, deadline: Deadline) -> socket.socket:
    """A connected socket, encrypted where it is `wss`, which blocks.

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
    """The first of the addresses of the host that takes the connection; a silent one gets its share of the time.

    Raises:
        TimeoutError: none does in time.
        ServerError: none does.
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
        except TimeoutError:  # an IPv6 address without a route, say
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
    """Shake hands for TLS.

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
    """A TLS socket that behaves as a plain one does which does not block."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        import ssl

        self._sock = sock
        self._waits = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
        self.fileno, self.close = sock.fileno, sock.close

    def recv(self, bufsize: int, /) -> bytes:
        """Records until the socket has no more: what OpenSSL holds back makes no descriptor readable."""
        pieces: list[bytes] = []
        try:
            while sum(map(len, pieces)) < bufsize or self._sock.pending():
                piece = self._sock.recv(bufsize)
                if not piece:
                    break  # is told again at the next call
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
        """As of a plain socket: its own would go on in plain text."""
        socket.socket.shutdown(self._sock, how)
