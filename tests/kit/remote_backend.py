"""A stand-in of ChatGPT's remote-control service on loopback, and the phone behind it.

Owns what Codex 0.163.0 to 0.171.0 asks it on the wire: enrollment, pairing, devices, and the connection that carries
JSON-RPC from a phone. Never here: assertions about the product.

    with RemoteBackend() as backend:
        write_chatgpt_login(codex_home, backend.origin)
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import socket
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from tests.kit.support import DEADLINE_S, Json

_BASE = "/wham/remote/control/"
_ACCEPT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_STEPS = {"server/enroll": "enroll", "server/refresh": "enroll", "server/pair": "pair", "server/pair/status": "claim"}


class RemoteBackend:
    """Serve on 127.0.0.1 at a free port, as a context manager. Everything works until a test breaks it.

    Attributes:
        broken: by step (`enroll`, `connect`, `pair`, `claim`, `clients`), the HTTP status that it fails with; 200 is an
            answer that cannot be understood.
        is_claimed: whether a device has used the pairing code.
        code_lasts_s: how long a pairing code can be used.
        devices: the paired ones, as the service names their facts.
        requests: method and path of each request, oldest first.
    """

    def __init__(self) -> None:
        self.broken: dict[str, int] = {}
        self.is_claimed = False
        self.code_lasts_s = 600.0
        self.devices: list[Json] = [
            {"client_id": "cl_1", "display_name": "My phone", "platform": "ios", "last_seen_at": _time(-60)},
            {"client_id": "cl_2", "display_name": "My tablet", "platform": "android", "last_seen_at": _time(-7200)},
        ]
        self.requests: list[tuple[str, str]] = []
        self._received: list[Json] = []
        self._changed = threading.Condition()
        self._connections: list[socket.socket] = []
        self._server = _BackendServer(("127.0.0.1", 0), type("_Bound", (_BackendHandler,), {"backend": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> RemoteBackend:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.drop()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def origin(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def connections(self) -> int:
        """How many app-servers are connected."""
        with self._changed:
            return len(self._connections)

    def drop(self) -> None:
        """Cut every connection."""
        with self._changed:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def ask(self, number: int, method: str, params: Json) -> Json:
        """A request of the phone to the app-server that is connected; returns the reply.

        Args:
            number: from 1, one more each time.
        """
        message = {"id": number, "method": method, "params": params}
        self.tell(number, message)
        with self._changed:
            self._changed.wait_for(lambda: self._reply_to(number) is not None, DEADLINE_S)
            reply = self._reply_to(number)
        assert reply is not None, f"no reply to {method}: {self._received[-3:]}"
        return reply

    def tell(self, number: int, message: Json) -> None:
        """A message of the phone, without waiting for anything."""
        frame = {"type": "client_message", "client_id": "cl_1", "stream_id": "st_1", "seq_id": number}
        with self._changed:
            _send(self._connections[-1], 1, json.dumps({**frame, "cursor": None, "message": message}).encode())

    def _reply_to(self, number: int) -> Json | None:
        messages: list[Json] = [each.get("message") or {} for each in self._received]
        return next((each for each in messages if each.get("id") == number and "method" not in each), None)

    # --- for the handler

    def connected(self, connection: socket.socket) -> None:
        """Take note of a connection that has been upgraded."""
        with self._changed:
            self._connections.append(connection)

    def disconnected(self, connection: socket.socket) -> None:
        """Take note of its end."""
        with self._changed:
            self._connections.remove(connection)

    def received(self, message: Json) -> None:
        """Take note of what an app-server sends to its phone."""
        with self._changed:
            self._received.append(message)
            self._changed.notify_all()


class _BackendServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about a client that has gone: app-servers are killed here."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _BackendHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    backend: RemoteBackend

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
        step = _STEPS.get(self._step())
        if step is None or self._fails(step):
            if step is None:
                self._answer(404, {"detail": "not served"})
        elif step == "enroll":
            token = f"rct-{uuid.uuid4().hex}"
            facts = {"server_id": "srv_1", "environment_id": "env_1", "remote_control_token": token}
            self._answer(200, {**facts, "expires_at": _time(3600)})
        elif step == "pair":
            manual = "ABCD-EFGH" if body.get("manual_code") else None
            code = {"pairing_code": f"pair-{uuid.uuid4().hex}", "manual_pairing_code": manual}
            where = {"server_id": "srv_1", "environment_id": "env_1"}
            self._answer(200, {**code, **where, "expires_at": _time(self.backend.code_lasts_s)})
        else:
            self._answer(200, {"claimed": self.backend.is_claimed})

    def do_GET(self) -> None:
        step = self._step()
        if step == "server" and self.headers.get("upgrade", "").lower() == "websocket":
            if not self._fails("connect"):
                self._carry()
        elif step.startswith("environments/"):
            if not self._fails("clients"):
                self._answer(200, {"items": self.backend.devices, "cursor": None})
        elif urlsplit(self.path).path.startswith("/v1/models"):
            self._answer(200, {"data": [], "models": []})
        else:
            self._answer(404, {"detail": "not served"})

    def do_DELETE(self) -> None:
        if self._fails("clients"):
            return
        client_id = self._step().rpartition("/")[2]
        kept = [each for each in self.backend.devices if each["client_id"] != client_id]
        is_known = len(kept) < len(self.backend.devices)
        self.backend.devices = kept
        self._answer(200 if is_known else 404, {} if is_known else {"detail": "no such client"})

    def _step(self) -> str:
        path = urlsplit(self.path).path
        self.backend.requests.append((self.command, path))
        return path.partition(_BASE)[2]

    def _fails(self, step: str) -> bool:
        """Answer as the test wants this step broken."""
        status = self.backend.broken.get(step)
        if status is None:
            return False
        self._answer(status, {"detail": f"scripted {status}"})
        return True

    def _answer(self, status: int, body: Json) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _carry(self) -> None:
        """Be the other side of an app-server's connection until it ends."""
        key = self.headers["sec-websocket-key"].encode() + _ACCEPT
        accept = base64.b64encode(hashlib.sha1(key, usedforsecurity=False).digest()).decode()
        self.send_response(101)
        for name, value in (("upgrade", "websocket"), ("connection", "Upgrade"), ("sec-websocket-accept", accept)):
            self.send_header(name, value)
        self.close_connection = True
        self.backend.connected(self.connection)  # before the app-server can know
        try:
            with contextlib.suppress(OSError, EOFError):
                self.end_headers()
                self.wfile.flush()
                self._receive()
        finally:
            self.backend.disconnected(self.connection)

    def _receive(self) -> None:
        while True:
            head = self._read(2)
            kind, size = head[0] & 15, head[1] & 127
            if size >= 126:
                size = int.from_bytes(self._read(2 if size == 126 else 8), "big")
            mask = self._read(4)
            data = bytes(byte ^ mask[at % 4] for at, byte in enumerate(self._read(size)))
            if kind == 8:
                return
            if kind == 9:
                _send(self.connection, 10, data)
            elif kind in (1, 2):
                self.backend.received(json.loads(data))

    def _read(self, size: int) -> bytes:
        data = self.rfile.read(size)
        if len(data) < size:
            raise EOFError
        return data


def _send(connection: socket.socket, kind: int, data: bytes) -> None:
    size = bytes([len(data)]) if len(data) < 126 else b"\x7e" + len(data).to_bytes(2, "big")
    connection.sendall(bytes([128 | kind]) + size + data)


def _time(from_now_s: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + from_now_s))
