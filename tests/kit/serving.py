"""A gateway for one test: the installed command `serve` in a home, and a client of it. Owns its start and its end."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from typing import Any

import httpx
import psutil

from codex_server_cli.codex.server.shared import retire
from codex_server_cli.codex.server.state import Generation, generations_of
from tests.kit.home import COMMAND, Home
from tests.kit.support import DEADLINE_S, Json, wait_until

_IDLE_S = 0.5
_LISTENING = re.compile(r"listening on (http://\S+|unix:\S+)\n")


class Serving:
    """`serve`, which has begun to listen; it ends with its home.

    Attributes:
        address: where, as it says.
        client: asks it.
        process: it.
    """

    def __init__(self, home: Home, *flags: str, listen: str = "127.0.0.1:0", client: Any = None) -> None:
        """Start it.

        Args:
            flags: of `serve`.
            listen: the value of `--listen`.
            client: keywords for `httpx.Client`.
        """
        config_path = home.path / "config.json"
        config = json.loads(config_path.read_text())
        config_path.write_text(json.dumps({"server_idle": _IDLE_S, **config}))  # its app-server ends with the test
        self._home = home
        self._log = home.root / f"serve-{len(list(home.root.glob('serve-*')))}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [COMMAND, "serve", "--listen", listen, *flags],
                cwd=home.project,
                env=home.env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        home.opened.callback(self.close)
        assert self.process.stdout is not None
        found = _LISTENING.fullmatch(self.process.stdout.readline())
        assert found, self._log.read_text()
        self.address = found[1]
        is_unix = self.address.startswith("unix:")
        transport = httpx.HTTPTransport(uds=self.address.removeprefix("unix:")) if is_unix else None
        base_url = "http://localhost" if is_unix else self.address
        self.client = httpx.Client(base_url=base_url, transport=transport, timeout=DEADLINE_S, **(client or {}))

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.address.rpartition(":")[2])

    @property
    def log(self) -> list[Json]:
        """What it has logged, each line by itself."""
        return [json.loads(line) for line in self._log.read_text().split("\n") if line]

    def logged(self, **wanted: Any) -> Json:
        """The first line of the log with these facts, once it is there."""

        def find() -> Json | None:
            lines = (line for line in self.log if line.items() >= wanted.items())
            return next(lines, None)

        return wait_until(find, what=f"a line of the log with {wanted}") or {}

    @property
    def memory_bytes(self) -> int:
        """What it takes, resident."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def generation(self) -> Generation:
        """The app-server that runs for it."""
        (found,) = (each for each in generations_of(self._home.path) if each.is_alive())
        return found

    def metric(self, name: str) -> float:
        """The value of a metric, without labels or with them as they are written."""
        lines = self.client.get("/metrics").text.splitlines()
        (value,) = (line.rpartition(" ")[2] for line in lines if line.rpartition(" ")[0] == f"codex_server_{name}")
        return float(value)

    def stop(self, signum: signal.Signals = signal.SIGTERM) -> int:
        """End it as a supervisor does, and return its exit code."""
        self.process.send_signal(signum)
        return self.process.wait(DEADLINE_S)

    def close(self) -> None:
        """End it, and its app-server. May be called again."""
        if self.process.poll() is None:
            self.stop()
        for generation in generations_of(self._home.path):
            retire(generation, at_once=True)
        if self.process.stdout is not None:
            self.process.stdout.close()
        if hasattr(self, "client"):
            self.client.close()
