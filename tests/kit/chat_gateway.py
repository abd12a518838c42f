"""A gateway in the test's own process, over a real app-server and a scripted model. Never here: assertions."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

import httpx
import openai
import psutil
import uvicorn

from codex_server_cli.demo.codex_home import write_custom_provider
from codex_server_cli.demo.scripted_model import ScriptedModel
from codex_server_cli.gateway.access_log import AccessLog
from codex_server_cli.gateway.app import make_app
from codex_server_cli.gateway.middleware import RequestMiddleware
from codex_server_cli.gateway.openai import routes
from codex_server_cli.gateway.openai.chat_memory import ChatMemory
from codex_server_cli.gateway.options import ServeOptions
from codex_server_cli.gateway.state import Gateway
from codex_server_cli.gateway.upstream.connection import UpstreamError
from codex_server_cli.settings.places import Settings
from tests.kit.chat_model import ChatModel
from tests.kit.shared_server import SharedServer
from tests.kit.support import DEADLINE_S, spared_features, wait_until

T = TypeVar("T")


class _MemoryLog(AccessLog):
    """Keeps what would be written.

    Attributes:
        requests: a line for each that has ended.
        defects: failures of ours.
    """

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.defects: list[BaseException] = []

    def say(self, event: str, **facts: Any) -> None:
        """See `AccessLog`."""
        if event == "request":
            self.requests.append(facts)

    def defect(self, error: BaseException, **facts: Any) -> None:
        """See `AccessLog`."""
        self.defects.append(error)


class ChatGateway:
    """See the module.

    Attributes:
        gateway, state: what its requests share, and its chats.
        server: where its app-server lives.
        model, rules: what Codex asks, and its script.
        url: where it listens.
    """

    def __init__(
        self,
        server: SharedServer,
        rules: ChatModel,
        *,
        options: ServeOptions | None = None,
        write_home: Callable[[Path, ScriptedModel], None] | None = None,
        model_name: str = "gpt-5.5",
    ) -> None:
        self.server = server
        (server.home / "config.json").write_text(json.dumps({"codex": str(server.codex)}))
        self.rules = rules
        self.model = server.opened.enter_context(ScriptedModel(rules))
        if write_home is None:
            write_custom_provider(
                server.codex_home, self.model.base_url, model=model_name, features=spared_features(server.codex)
            )
        else:
            write_home(server.codex_home, self.model)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen()
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._options = options or ServeOptions(most_streams=64)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True, name="gateway")
        self._thread.start()
        wait_until(lambda: getattr(getattr(self, "_uvicorn", None), "started", False), what="the gateway")

    async def _serve(self) -> None:
        self.gateway = Gateway(Settings.load(), self._options)
        self.loop = asyncio.get_running_loop()
        log = self.log = _MemoryLog()
        with patch.object(routes, "ChatMemory", self._make_state):
            app = RequestMiddleware(self.gateway, make_app(self.gateway), log)
        settings: dict[str, Any] = {"log_level": "critical", "lifespan": "off", "timeout_graceful_shutdown": 1}
        self._uvicorn = uvicorn.Server(uvicorn.Config(app, **settings))
        await self._uvicorn.serve(sockets=[self._socket])
        self.gateway.begin_to_stop()
        await self.gateway.close()

    def _make_state(self, gateway: Gateway) -> ChatMemory:
        self.state = ChatMemory(gateway)
        return self.state

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run something on the gateway's own loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(DEADLINE_S)

    def call(self, function: Callable[[], T]) -> T:
        """Call something there."""

        async def called() -> T:
            return function()

        return self.run(called())

    def loaded_threads(self) -> list[str]:
        """The threads that the app-server has in memory."""

        async def ask() -> list[str]:
            connection = await self.gateway.app_server.kept("test")
            threads: list[str] = (await connection.call("thread/loaded/list", {}))["data"]
            return threads

        return self.run(ask())

    def loaded_turns(self) -> list[str]:
        """Those of them that are active now."""

        async def is_active(thread: str) -> bool:
            connection = await self.gateway.app_server.kept("test")
            try:
                found = await connection.call("thread/read", {"threadId": thread})
            except UpstreamError:
                return False
            return bool(found["thread"]["status"]["type"] == "active")

        return [thread for thread in self.loaded_threads() if self.run(is_active(thread))]

    def n_streams(self) -> tuple[float, float]:
        """How many requests run, and how many wait for a place."""
        metrics = self.gateway.metrics
        return metrics.streams._value.get(), metrics.waiting._value.get()

    def client(self, **more: Any) -> openai.OpenAI:
        """The official client, which tries each request once unless told otherwise."""
        given: dict[str, Any] = {
            "base_url": f"{self.url}/v1",
            "api_key": "any",
            "max_retries": 0,
            "timeout": DEADLINE_S,
        }
        return openai.OpenAI(**{**given, **more})

    def http(self, **more: Any) -> httpx.Client:
        """A plain client."""
        return httpx.Client(base_url=self.url, timeout=DEADLINE_S, **more)

    @property
    def app_server_pid(self) -> int:
        """The process of the app-server."""
        generation = self.gateway.app_server.generation
        assert generation is not None
        return generation.pid

    def model_connections(self) -> int:
        """How many connections to the model the app-server holds open now."""
        port = int(self.model.origin.rpartition(":")[2])
        connections = psutil.Process(self.app_server_pid).net_connections("inet")
        return sum(
            each.status == psutil.CONN_ESTABLISHED and bool(each.raddr) and each.raddr.port == port
            for each in connections
        )

    def close(self) -> None:
        """End it, and its app-server."""
        self._uvicorn.should_exit = True
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()
        assert self.log.defects == []
        self.server.end()
