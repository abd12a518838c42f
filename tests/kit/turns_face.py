"""The turns' face of a gateway in the test's own process, on a real port, without an app-server: it needs none.

Never here: assertions about the product.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx
import pytest
import uvicorn

from codex_server_cli.gateway.app import make_app
from codex_server_cli.gateway.options import ServeOptions
from codex_server_cli.gateway.state import Gateway
from codex_server_cli.settings.places import Settings
from tests.kit.home import Home
from tests.kit.support import DEADLINE_S, Json, wait_until


class Sent(NamedTuple):
    """One event of a stream."""

    id: str
    type: str
    data: Json


class TurnsFaceServer:
    """It serves from construction to `close`.

    Attributes:
        url: where.
        client: talks to it.
    """

    def __init__(self, home: Home, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
        for name, value in home.env.items():
            monkeypatch.setenv(name, value)
        for name in ("CODEX_SERVER_TURN_ID", "OPENAI_API_KEY", "CODEX_API_KEY", "CODEX_ACCESS_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        self._settings = Settings.load()
        self._options = ServeOptions(**{"cwd": str(home.project), **options})
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._started.wait(DEADLINE_S)
        self.client = httpx.Client(base_url=self.url, timeout=DEADLINE_S, trust_env=False)

    async def _serve(self) -> None:
        self.gateway = Gateway(self._settings, self._options)
        config = uvicorn.Config(make_app(self.gateway), port=0, log_config=None, lifespan="off", ws="none")
        self._server = uvicorn.Server(config)
        self._loop = asyncio.get_running_loop()
        serving = asyncio.ensure_future(self._server._serve())
        while not self._server.started:
            await asyncio.sleep(0.005)
        self.url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"
        self._started.set()
        await serving
        await self.gateway.close()

    def begin_to_stop(self) -> None:
        """What SIGTERM does."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self.gateway.begin_to_stop)

    def close(self) -> None:
        """End it."""
        self.client.close()
        self.begin_to_stop()
        self._server.should_exit = True
        self._thread.join()

    @contextmanager
    def events(self, path: str, **headers: str) -> Iterator[Iterator[Sent]]:
        """The events of a stream, as they come."""
        with self.client.stream("GET", path, headers=headers) as answer:
            assert answer.status_code == 200, answer.read()
            assert answer.headers["content-type"].startswith("text/event-stream")
            yield events_in(answer.iter_lines())

    def ended(self, turn_id: str) -> Json:
        """The status of a turn, once it has ended."""

        def look() -> Json | None:
            found: Json = self.client.get(f"/turns/{turn_id}?full=true").json()
            return found if found["state"] != "running" else None

        found = wait_until(look, what=f"the end of {turn_id}")
        assert found is not None
        return found


def events_in(lines: Iterator[str]) -> Iterator[Sent]:
    """The events that the lines of a stream are; comments are left out."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line:
            if "data" in fields:
                yield Sent(fields.get("id", ""), fields.get("event", "message"), json.loads(fields["data"]))
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
