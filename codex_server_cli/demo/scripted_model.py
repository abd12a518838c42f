"""The scripted model: an OpenAI Responses API on loopback that replies as scripted.

Owns: the HTTP server, the record of requests, and the few account paths that Codex requests in ChatGPT mode.
Never here: the format of events (`sse`), the builders for scripts (`replies`), a CODEX_HOME (`codex_home`).

    with ScriptedModel([reply(run_command("ls")), reply(say("done"))]) as model:
        write_custom_provider(home, model.base_url)

Observed with 0.163.0 and 0.171.0: a 426 in reply to a WebSocket upgrade makes Codex fall back to HTTP at once, and it
accepts 404 for every path that is not served here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Condition, Event, Thread
from types import TracebackType
from typing import Any, TypeAlias

from codex_server_cli.demo import sse
from codex_server_cli.demo.chatgpt import accounts_check, usage_windows
from codex_server_cli.demo.gates import FileGate, Gate
from codex_server_cli.demo.parts import Cut, Failure, Hold, Json, Pause, Reply, ReplyLike
from codex_server_cli.demo.replies import as_reply, bad_request
from codex_server_cli.demo.request import Request, decode_body

__all__ = ["FileGate", "Gate", "Request", "Script", "ScriptedModel"]

_NOT_SERVED: Json = {"error": {"message": "not served by the scripted model"}}

Script: TypeAlias = Callable[[Request], ReplyLike] | Sequence[ReplyLike]


class ScriptedModel:
    """Serve `script` on 127.0.0.1 at a free port, as a context manager.

    Args:
        script: a function from request to reply, or replies served in order (the last one repeats).

    `wham_usage` and `wham_accounts` are the answers to ChatGPT's usage and workspace paths: replace them at any
    time, None means 404.
    Closing opens every gate that the model blocks on, so nothing hangs.
    """

    def __init__(self, script: Script) -> None:
        self.requests: list[Request] = []
        self.wham_usage: Json | None = usage_windows()
        self._script = script
        self._changed = Condition()
        self._closing = Event()
        self._holding: list[Hold] = []
        self._server = _HttpServer(self)
        self.wham_accounts: Json | None = accounts_check(self.origin)
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True, name="scripted-model")

    @property
    def origin(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def base_url(self) -> str:
        """The `base_url` of a Codex model provider."""
        return f"{self.origin}/v1"

    @property
    def model_requests(self) -> list[Request]:
        """The requests for a model response, in order."""
        return [request for request in self.requests if request.is_model_request]

    def wait_for_requests(self, n: int, timeout_s: float = 120.0) -> list[Request]:
        """Block until `n` model requests have come in and return them; raise `TimeoutError` after `timeout_s`."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.model_requests) >= n, timeout_s):
                raise TimeoutError(f"{len(self.model_requests)} of {n} model requests within {timeout_s:g} s")
            return self.model_requests

    def __enter__(self) -> ScriptedModel:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving and release every held reply."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        with self._changed:
            for held in self._holding:
                held.gate.release()

    # The following methods run on the server's connection threads.

    def _record(self, request: Request) -> Request:
        with self._changed:
            if request.is_model_request:
                request = replace(request, number=len(self.model_requests) + 1)
            self.requests.append(request)
            self._changed.notify_all()
        return request

    def _reply_to(self, request: Request) -> Reply:
        """The script's reply; a defect in a script becomes a failed turn that names it."""
        try:
            if callable(self._script):
                return as_reply(self._script(request))
            return as_reply(self._script[min(request.number, len(self._script)) - 1])
        except Exception as error:  # the script is the caller's code
            return bad_request(f"the script failed: {error!r}")

    def _wait(self, wait: Hold | Pause) -> None:
        if isinstance(wait, Pause):
            self._closing.wait(wait.seconds)
            return
        with self._changed:
            if self._closing.is_set():
                return
            self._holding.append(wait)
        wait.gate.hold()
        with self._changed:
            self._holding.remove(wait)


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, model: ScriptedModel) -> None:
        self.model = model
        super().__init__(("127.0.0.1", 0), _Handler)

    def server_bind(self) -> None:
        # HTTPServer's own version resolves this machine's name, which can take seconds.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # Codex disconnects when a turn is interrupted
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One reply for each connection: closing it is the cheapest way to end a stream of unknown length."""

    server: _HttpServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self) -> None:
        request = self._read()
        if request.is_model_request:
            self._send_reply(self.server.model._reply_to(request), request.number)
        else:
            self._send_json(404, _NOT_SERVED)

    def do_GET(self) -> None:
        request = self._read()
        model = self.server.model
        match request.path:
            case "/v1/responses":
                self._send_json(426, {"error": {"message": "no WebSocket here"}})
            case "/v1/models":
                self._send_json(200, {"models": []})
            case "/backend-api/wham/usage" if model.wham_usage is not None:
                self._send_json(200, model.wham_usage)
            case "/backend-api/wham/accounts/check" if model.wham_accounts is not None:
                self._send_json(200, model.wham_accounts)
            case _:
                self._send_json(404, _NOT_SERVED)

    def _read(self) -> Request:
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = decode_body(raw, headers.get("content-encoding", ""))
        return self.server.model._record(Request(self.command, self.path.partition("?")[0], headers, body))

    def _send_reply(self, reply: Reply, number: int) -> None:
        if isinstance(reply, Failure):
            self._send_json(reply.status, reply.body, reply.headers)
            return
        self._send_head(200, "text/event-stream", reply.headers)
        for block in sse.blocks(reply, number):
            if isinstance(block, bytes):
                self.wfile.write(block)
            elif isinstance(block, Cut):
                return
            else:
                self.wfile.flush()
                self.server.model._wait(block)

    def _send_json(self, status: int, body: Mapping[str, Any] | str, headers: Mapping[str, str] | None = None) -> None:
        payload = (body if isinstance(body, str) else json.dumps(dict(body))).encode()
        self._send_head(status, "application/json", {"Content-Length": str(len(payload)), **(headers or {})})
        self.wfile.write(payload)

    def _send_head(self, status: int, content_type: str, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": content_type, "Connection": "close", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: stdout and stderr belong to the caller."""
