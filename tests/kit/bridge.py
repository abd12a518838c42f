"""A gateway in the test's own process, over a real app-server and a model that does what its prompt says.

Never here: assertions about the product beyond "the gateway did what the test needs to go on".
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections import defaultdict
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import httpx
from websockets.sync.client import ClientConnection, connect

from codex_server_cli.demo.codex_home import write_custom_provider
from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import ReplyLike, bad_request, hold, reply, run_command, say
from codex_server_cli.demo.request import Request
from codex_server_cli.demo.scripted_model import ScriptedModel
from codex_server_cli.gateway.access_log import AccessLog
from codex_server_cli.gateway.app import make_app
from codex_server_cli.gateway.connection_limits import (
    ConnectionLimits,
    LimitedConfig,
    LimitedProtocol,
    LimitedWebSocket,
)
from codex_server_cli.gateway.middleware import RequestMiddleware
from codex_server_cli.gateway.options import ServeOptions
from codex_server_cli.gateway.serve import _UvicornServer  # what it shuts down of uvicorn
from codex_server_cli.gateway.state import Gateway
from codex_server_cli.settings.places import Settings
from tests.kit.shared_server import SharedServer
from tests.kit.support import DEADLINE_S, Json, spared_features, wait_until

T = TypeVar("T")
SECOND = "and the second part."


class Event(NamedTuple):
    """One event of a stream."""

    id: str
    name: str
    data: Any

    @property
    def method(self) -> str:
        """Of the message in it; empty where it has none."""
        return str(self.data.get("method", "")) if isinstance(self.data, dict) else ""


class _RecordingLog(AccessLog):
    """A log that keeps the defects, and writes nothing."""

    def __init__(self, defects: list[BaseException]) -> None:
        super().__init__(is_for_people=False)
        self._defects = defects

    def defect(self, error: BaseException, **facts: Any) -> None:
        """See `AccessLog`."""
        self._defects.append(error)
        super().defect(error, **facts)

    def say(self, event: str, **facts: Any) -> None:
        """Nothing: its thread would write between the tests, past pytest's capture."""


class BridgeGateway:
    """See the module.

    Attributes:
        gateway: its state.
        server: where its app-server lives.
        model: what Codex asks: `hold NAME` stops in the middle of its answer until `gates[NAME]` opens, `big NAME`
            after 16 MiB of it, `run COMMAND` runs a command first, `fail`
            is refused, any other prompt is said again.
        cwd: the directory that it serves.
        url: where it listens.
    """

    def __init__(self, server: SharedServer, **options: Any) -> None:
        self.server = server
        self.cwd = server.codex_home.parent / "project"
        self.cwd.mkdir(exist_ok=True)
        (server.home / "config.json").write_text(json.dumps({"codex": str(server.codex)}))
        self.gates: defaultdict[str, Gate] = defaultdict(Gate)
        self.defects: list[BaseException] = []
        self.model = server.opened.enter_context(ScriptedModel(self._reply))
        write_custom_provider(server.codex_home, self.model.base_url, features=spared_features(server.codex))
        self._options = ServeOptions(cwd=str(self.cwd), **options)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server: _UvicornServer | None = None
        self.limits = ConnectionLimits(500)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True, name="gateway")
        self._thread.start()
        wait_until(lambda: self._has_started() or not self._thread.is_alive(), what="the gateway")
        assert self._has_started()
        self.http = httpx.Client(base_url=self.url, timeout=DEADLINE_S)

    def _has_started(self) -> bool:
        return self._server is not None and bool(self._server.started)

    def _reply(self, request: Request) -> ReplyLike:
        prompt = request.prompt
        if prompt.startswith("hold "):
            return say(f"{prompt} ", hold(self.gates[prompt[5:]]), SECOND)
        if prompt == "fail":
            return bad_request("no such thing")
        if prompt.startswith("big "):
            return say(*["x" * (1 << 20)] * 16, hold(self.gates[prompt[4:]]))
        if prompt.startswith("run ") and not request.is_follow_up:
            return reply(run_command(prompt[4:], yield_time_ms=60_000))
        return say(f"You said {prompt}")

    async def _serve(self) -> None:
        self.gateway, self.loop = Gateway(Settings.load(), self._options), asyncio.get_running_loop()
        log = _RecordingLog(self.defects)
        configuration = LimitedConfig(
            RequestMiddleware(self.gateway, make_app(self.gateway), log),
            http=LimitedProtocol,
            ws=LimitedWebSocket,
            ws_max_size=1 << 20,
            ws_per_message_deflate=False,
            ws_ping_interval=0.5,
            ws_ping_timeout=DEADLINE_S,
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=5,
        )
        configuration.limits = self.limits
        sweeping = asyncio.ensure_future(configuration.limits.sweep())
        self._server = _UvicornServer(configuration)
        await self._server.serve(sockets=[self._socket])
        sweeping.cancel()
        self.gateway.begin_to_stop()
        await self.gateway.close()
        log.close()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run something on the gateway's own loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(DEADLINE_S)

    def close(self) -> None:
        """End it, and its app-server; no request may have met a defect."""
        self.http.close()
        assert self._server is not None
        self._server.should_exit = True
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()
        self.server.end()
        assert self.defects == []

    # --- requests

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """Send a document, or bytes as they are; names of headers have `_` for `-`."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.http.post(
            path, content=content, headers={name.replace("_", "-"): headers[name] for name in headers}
        )

    @contextmanager
    def sent(self, path: str, body: Any, *, receive_bytes: int | None = None) -> Iterator[socket.socket]:
        """A request whose answer is not read; leaving it closes the connection.

        Args:
            receive_bytes: how much the system takes for the client.
        """
        content = json.dumps(body).encode()
        with socket.socket() as client:
            if receive_bytes is not None:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
            client.connect(("127.0.0.1", int(self.url.rpartition(":")[2])))
            head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(content)}\r\n\r\n"
            client.sendall(head.encode() + content)
            yield client

    def has_asked_for(self, prompt: str) -> bool:
        """Whether a turn with this prompt has reached the model."""
        return any(request.prompt == prompt for request in self.model.model_requests)

    def call(self, method: str, params: Json | None = None, **headers: str) -> Any:
        """The result of a call over `/rpc`."""
        answer = self.post("/rpc", {"id": 1, "method": method, "params": params or {}}, **headers)
        assert answer.status_code == 200, answer.text
        document = answer.json()
        assert "result" in document, document
        return document["result"]

    def start_thread(self, **params: Any) -> str:
        """A new thread."""
        return str(self.call("thread/start", {"ephemeral": True, **params})["thread"]["id"])

    @contextmanager
    def stream(self, body: Any, **headers: str) -> Iterator[Iterator[Event]]:
        """The events of a call over `/stream`; leaving it closes the connection."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        with self.http.stream("POST", "/stream", content=content, headers=_named(headers)) as answer:
            if answer.status_code != 200:
                answer.read()
            assert answer.status_code == 200, answer.text
            yield events_in(answer.iter_lines())

    def turn(self, thread_id: str, prompt: str, request_id: Any = 1, **params: Any) -> Json:
        """The message that starts a turn."""
        given = {"threadId": thread_id, "input": [{"type": "text", "text": prompt}], **params}
        return {"id": request_id, "method": "turn/start", "params": given}

    def status_of(self, thread_id: str) -> str:
        """What the thread does."""
        return str(self.call("thread/read", {"threadId": thread_id})["thread"]["status"]["type"])

    @contextmanager
    def socket(self, *, is_initialised: bool = True) -> Iterator[WebSocketClient]:
        """A client of `/ws`."""
        with connect(f"ws{self.url[4:]}/ws", max_size=None, open_timeout=DEADLINE_S) as connection:
            client = WebSocketClient(connection)
            if is_initialised:
                client.request("initialize", {"clientInfo": {"name": "test", "version": "1"}})
                client.send({"method": "initialized"})
            yield client


class WebSocketClient:
    """A client of `/ws`, with what it has received."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.received: list[Json] = []
        self._id = 0

    def send(self, message: Any) -> None:
        """Send a message."""
        self.connection.send(json.dumps(message))

    def receive(self) -> Json:
        """The next message."""
        message: Json = json.loads(self.connection.recv(DEADLINE_S))
        self.received.append(message)
        return message

    def until(self, method: str, **params: Any) -> Json:
        """Receive up to a notification or a request of this method, and return its parameters."""
        while True:
            message = self.receive()
            if message.get("method") == method and params.items() <= message["params"].items():
                found: Json = message["params"]
                return found

    def reply_to(self, message: Json) -> Json:
        """Send a request and return its reply."""
        self.send(message)
        while (found := self.receive()).get("id") != message["id"] or "method" in found:
            continue
        return found

    def request(self, method: str, params: Json) -> Any:
        """Send a request and return its result."""
        self._id += 1
        found = self.reply_to({"id": self._id, "method": method, "params": params})
        assert "result" in found, found
        return found["result"]


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def events_in(lines: Iterator[str]) -> Iterator[Event]:
    """The events in the lines of a stream."""
    fields: dict[str, str] = {}
    for line in lines:
        if line.startswith(":"):
            continue
        name, _, value = line.partition(": ")
        if line:
            fields[name] = value
        elif "data" in fields:
            yield Event(fields.get("id", ""), fields.get("event", "message"), json.loads(fields["data"]))
            fields = {}
