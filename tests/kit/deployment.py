"""The files of `deploy/`, and how one is changed for a test. Never here: assertions about them."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType

from tests.kit.support import DEADLINE_S

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy"


def changed(name: str, *changes: tuple[str, str]) -> str:
    """The text of an example with each of these parts replaced, which must be in it."""
    text = (FOLDER / name).read_text()
    for old, new in changes:
        assert old in text, f"{name} has no {old!r}"
        text = text.replace(old, new)
    return text


def free_port() -> int:
    """A port of loopback that nothing listens on at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


class Proxy:
    """A proxy in front of a gateway, as a context: it listens when the context begins, and is gone after it."""

    def __init__(self, command: list[str], port: int, env: dict[str, str]) -> None:
        self._port = port
        self._process = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )

    def __enter__(self) -> Proxy:
        deadline = time.monotonic() + DEADLINE_S
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self._port), 1).close()
            except OSError:  # not yet
                time.sleep(0.02)
            else:
                return self
        self._process.kill()
        assert self._process.stderr is not None
        raise AssertionError(f"the proxy does not listen: {self._process.stderr.read().decode()}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.communicate(timeout=DEADLINE_S)
