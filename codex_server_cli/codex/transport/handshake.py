"""The upgrade of a new socket to WebSocket, and the other answers of an app-server, or of another program there.

Owns the message for each refusal. Must never show the token.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from codex_server_cli.core.protocol.websocket import (
    SAMPLE_ACCEPT,
    SAMPLE_KEY,
    Head,
    WebSocketError,
    accept_of,
    get_request,
    read_head,
    upgrade_request,
)
from codex_server_cli.core.result.excerpt import beginning_of
from codex_server_cli.errors import ErrorKind, ServerError

if TYPE_CHECKING:
    from _socket import socket  # the module around it takes 1 ms

_MOST_BODY_BYTES = 4096
_READ_BYTES = 64 * 1024
_TLS_ALERT = 0x15
_NO_CHUNK = b"0\r\n\r\n"
"""An empty body in the form that a proxy may send."""
_HOW_TO_GIVE = "Give it with --server-token-file FILE or --server-token-env NAME."
_COMPARE = "Compare it with the server's own; it reads its token file once, at its start."
_CLAIMS = "Have a token made for this server (its --ws-issuer, --ws-audience and secret)."
_UNAUTHORIZED = {  # what an app-server says with 401 → in our words, and the next step
    "missing websocket bearer token": ("wants a token", _HOW_TO_GIVE),
    "invalid authorization header": ("does not understand the token", "It must be the bare token, without 'Bearer'."),
    "invalid websocket bearer token": ("refuses the token: its own is another one", _COMPARE),
    "invalid websocket jwt": (
        "refuses the token: it is no JWT with an 'exp' that was signed (HS256) with the server's secret",
        "Have one made with the server's --ws-shared-secret-file.",
    ),
    "expired websocket jwt": ("refuses the token: it has expired", "Have a new one made."),
    "websocket jwt is not valid yet": (
        "refuses the token: it is not valid yet ('nbf')",
        "Compare the clocks of the two machines, or wait.",
    ),
    "websocket jwt issuer mismatch": ("refuses the token: it is from another issuer ('iss')", _CLAIMS),
    "websocket jwt audience mismatch": ("refuses the token: it is for another audience ('aud')", _CLAIMS),
}


class Deadline:
    """A deadline for a sequence of steps, each of which may use the remaining time."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._at_s = time.monotonic() + timeout_s

    def rest_s(self) -> float:
        """The remaining time.

        Raises:
            TimeoutError: there is none.
        """
        rest_s = self._at_s - time.monotonic()
        if rest_s <= 0:
            raise TimeoutError
        return rest_s


def shown(name: str) -> str:
    """An address or a path, shortened so that a message stays on one line of a terminal."""
    return name if len(name) <= 90 else f"{name[:44]}…{name[-44:]}"


def upgrade(
    sock: socket,
    name: str,
    deadline: Deadline,
    *,
    host: str | None = None,
    resource: str = "/",
    token: str | None = None,
) -> bytes:
    """Upgrade a socket to WebSocket; it is non-blocking afterwards.

    Args:
        name: of the server, for messages.
        host: of a TCP server, with its port; None for a unix socket.

    Returns:
        The bytes received after the response head.

    Raises:
        ServerError: it refuses, or is no app-server.
    """
    key, accept = _key_pair() if host is not None else (SAMPLE_KEY, SAMPLE_ACCEPT)
    head, rest = _ask(sock, upgrade_request(host or "localhost", resource, key, token), name, deadline)
    if head.is_upgrade(accept):
        sock.settimeout(0)
        return rest
    body = " ".join(_body(sock, head, rest, deadline).decode("utf-8", "replace").split())
    raise _refusal(name, head.status, body, has_token=token is not None)


def check_page(sock: socket, name: str, deadline: Deadline, *, host: str, page: str) -> None:
    """Ask a TCP server for `/readyz` or `/healthz`, which an app-server answers with 200 and an empty body.

    It needs no token there, and answers 403 to an `Origin` (transport notes, section 2).

    Raises:
        ServerError: it is no app-server.
    """
    head, rest = _ask(sock, get_request(host, page, {"Connection": "close"}), name, deadline)
    if head.status != 200 or _body(sock, head, rest, deadline) not in (b"", _NO_CHUNK):
        raise _no_app_server(name, f"it answers {head.status} to {page}")


def silent(name: str, deadline: Deadline) -> ServerError:
    """The error for a server that does not answer in time."""
    return ServerError(
        f"{shown(name)} does not answer within {deadline.timeout_s:g} s",
        hint="It hangs, is no app-server, or a firewall is in between: see to it, and try again.",
    )


def _key_pair() -> tuple[str, str]:
    import os
    from base64 import b64encode

    key = b64encode(os.urandom(16)).decode()
    return key, accept_of(key)


def _ask(sock: socket, request: bytes, name: str, deadline: Deadline) -> tuple[Head, bytes]:
    """Send a request, and read the head of the response.

    Raises:
        ServerError: there is no response.
    """
    data = b""
    try:
        sock.settimeout(deadline.rest_s())
        sock.sendall(request)
        while (answer := read_head(data)) is None:
            sock.settimeout(deadline.rest_s())
            more = sock.recv(_READ_BYTES)
            if not more:
                raise _no_app_server(name, "it closes the connection without an answer")
            data += more
    except WebSocketError as error:
        if data[0] == _TLS_ALERT:
            raise ServerError(f"{shown(name)} speaks TLS", hint="Use wss:// in place of ws://.") from error
        raise _no_app_server(name, f"it {error}") from error
    except TimeoutError as error:
        raise silent(name, deadline) from error
    except OSError as error:
        raise _no_app_server(name, f"it drops the connection: {error.strerror or error}") from error
    return answer


def _body(sock: socket, head: Head, rest: bytes, deadline: Deadline) -> bytes:
    """The beginning of the body, as far as it arrives in time."""
    length = head.headers.get("content-length", "")
    is_known = length.isascii() and length.isdigit() and len(length) < 10
    wanted = min(int(length), _MOST_BODY_BYTES) if is_known else _MOST_BODY_BYTES
    with contextlib.suppress(OSError):
        while len(rest) < wanted:
            sock.settimeout(min(deadline.rest_s(), 1.0))
            more = sock.recv(_READ_BYTES)
            if not more:
                break
            rest += more
    return rest[:wanted]


def _refusal(name: str, status: int, body: str, *, has_token: bool) -> ServerError:
    if status == 401:
        words, hint = _UNAUTHORIZED.get(
            body, (f"refuses {'the token' if has_token else 'without a token'} (401)", _HOW_TO_GIVE)
        )
        return ServerError(f"{shown(name)} {words}", hint=hint, kind=ErrorKind.AUTH)
    if status == 403:
        return ServerError(
            f"{shown(name)} forbids the connection (403)",
            hint="A proxy in front of it may add an Origin, which an app-server refuses, or want another login.",
        )
    if status == 101:
        return _no_app_server(name, "its answer to the WebSocket handshake is wrong")
    excerpt = beginning_of(body, 60)
    return _no_app_server(
        name, f"it answers HTTP {status}{f' ({excerpt})' if excerpt and excerpt.isprintable() else ''}"
    )


def _no_app_server(name: str, why: str) -> ServerError:
    tls = "; behind TLS it is wss://" if name.startswith("ws://") else ""
    return ServerError(
        f"{shown(name)} is no app-server: {why}", hint=f"See what listens there, or name another server{tls}."
    )
