"""App-servers that listen: real ones on a throw-away home, and peers that are none. Owns their start and their end."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import re
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from codex_server_cli.core.protocol.websocket import accept_of
from tests.kit.support import DEADLINE_S, codex_env, wait_until

TLS = Path(__file__).parents[1] / "fixtures" / "tls"
"""A certificate for localhost and 127.0.0.1 that signs itself, and its key."""
SECRET = "a shared secret of the tests, of more than 32 bytes"
_LISTENING = re.compile(r"listening on: (ws://\S+)")


class ListeningServer:
    """A real `codex app-server --listen`, which has begun to listen.

    Attributes:
        url: where, as `--server` takes it.
    """

    def __init__(self, codex: Path, codex_home: Path, listen: str, *args: str) -> None:
        self._log = codex_home / f"app-server-{time.monotonic_ns()}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [codex, "app-server", "--listen", listen, *args],
                env=codex_env(codex_home),
                cwd=codex_home,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        try:
            self.url = self._await(listen, codex_home)
        except BaseException:
            self.close()
            raise

    def _await(self, listen: str, codex_home: Path) -> str:
        if listen.startswith("ws:"):
            return wait_until(self._told_url, what="the address of the app-server") or ""
        default = codex_home / "app-server-control" / "app-server-control.sock"
        path = Path(listen.removeprefix("unix://") or default)
        wait_until(lambda: self._listens(path), what="the socket of the app-server")
        return listen

    def _told_url(self) -> str | None:
        assert self.process.poll() is None, self._log.read_text()
        found = _LISTENING.search(self._log.read_text())
        return found[1] if found else None

    def _listens(self, path: Path) -> bool:
        assert self.process.poll() is None, self._log.read_text()
        with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
            probe.connect(str(path.readlink()))
            return True
        return False

    def __enter__(self) -> ListeningServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it at once, with all its turns."""
        self.process.kill()
        self.process.wait(DEADLINE_S)


def token_flags(directory: Path, token: str) -> tuple[str, ...]:
    """The flags of a server that wants this token."""
    path = directory / "server-token"
    path.write_text(token)
    return "--ws-auth", "capability-token", "--ws-token-file", str(path)


def jwt_flags(directory: Path, *more: str) -> tuple[str, ...]:
    """The flags of a server that wants a token of `jwt`."""
    path = directory / "server-secret"
    path.write_text(SECRET)
    return "--ws-auth", "signed-bearer-token", "--ws-shared-secret-file", str(path), *more


def jwt(secret: str = SECRET, *, expires_in_s: float | None = 600, **claims: Any) -> str:
    """A signed bearer token."""
    expiry = {} if expires_in_s is None else {"exp": int(time.time() + expires_in_s)}
    signed = ".".join(_encoded(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, expiry | claims))
    return f"{signed}.{_encoded(hmac.digest(secret.encode(), signed.encode(), hashlib.sha256))}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@contextlib.contextmanager
def peer(behave: Callable[[socket.socket], None], *, path: Path | None = None, is_tls: bool = False) -> Iterator[str]:
    """Something that listens and does with each connection what it is told to, one after the other.

    Args:
        path: of a unix socket; else it is a port of the loopback.

    Yields:
        Where, as `--server` takes it.
    """
    listener = socket.socket(socket.AF_INET if path is None else socket.AF_UNIX)
    listener.bind(("127.0.0.1", 0) if path is None else str(path))
    listener.listen()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if is_tls:
        context.load_cert_chain(TLS / "certificate.pem", TLS / "key.pem")

    def run() -> None:
        while True:
            try:
                accepted = listener.accept()[0]
            except OSError:
                return
            with contextlib.suppress(OSError), accepted:
                if is_tls:
                    accepted = context.wrap_socket(accepted, server_side=True)
                with accepted:
                    behave(accepted)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        scheme = "wss" if is_tls else "ws"
        yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}" if path is None else f"unix://{path}"
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(DEADLINE_S)


def request_of(sock: socket.socket) -> str:
    """The head of the request that has come over a connection.

    Raises:
        ConnectionError: none comes.
    """
    data = b""
    while b"\r\n\r\n" not in data:
        if not (more := sock.recv(4096)):
            raise ConnectionError
        data += more
    return data.decode()


def answer(sock: socket.socket, status: str, body: str = "", *headers: str) -> None:
    """Read a request, and answer it."""
    request_of(sock)
    sock.sendall("\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", body]).encode())


def accept_upgrade(sock: socket.socket) -> None:
    """Read a request for a WebSocket connection, and agree."""
    (key,) = re.findall(r"Sec-WebSocket-Key: (\S+)", request_of(sock))
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
    sock.sendall("\r\n".join([*lines, f"Sec-WebSocket-Accept: {accept_of(key)}", "", ""]).encode())
