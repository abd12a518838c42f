"""The shared app-server of one test: its key, its processes, its end. Never here: assertions about the product."""

from __future__ import annotations

import json
import os
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from codex_server_cli import __version__
from codex_server_cli.codex.server.asking import ask
from codex_server_cli.codex.server.key import ServerKey, make_key
from codex_server_cli.codex.server.shared import ensure_shared, find_shared, replace_shared, retire
from codex_server_cli.codex.server.state import Generation, directory_of, generations_in
from codex_server_cli.core.protocol.query import Listen, Query, initialize
from codex_server_cli.demo.codex_home import write_custom_provider
from codex_server_cli.demo.scripted_model import Script, ScriptedModel
from codex_server_cli.errors import CodexServerError
from tests.kit.processes import end, with_variable
from tests.kit.support import DEADLINE_S, wait_until

HOME = "CODEX_SERVER_HOME"


class SharedServer:
    """Where a shared server may be started.

    Attributes:
        home, codex_home, codex: as a user has them.
        opened: what is closed at the end, the last one first.
    """

    def __init__(self, root: Path, codex: Path, codex_home: Path) -> None:
        self.home, self.codex, self.codex_home = root / "home", codex, codex_home
        self.home.mkdir(mode=0o700, exist_ok=True)
        self.opened = ExitStack()
        self._threads = self.opened.enter_context(ThreadPoolExecutor(4))
        (codex_home / "config.toml").write_text("[features]\nplugins = false\nshell_snapshot = false\n")

    def put_into_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make it that of this process."""
        monkeypatch.setenv(HOME, str(self.home))
        monkeypatch.setenv("CODEX_HOME", str(self.codex_home))
        for name in ("CODEX_SERVER_TURN_ID", "OPENAI_API_KEY", "CODEX_API_KEY", "CODEX_ACCESS_TOKEN"):
            monkeypatch.delenv(name, raising=False)

    @property
    def key(self) -> ServerKey:
        """The key of this environment."""
        return make_key(self.codex_home, self.codex, may_bill_api_key=False)

    @property
    def directory(self) -> Path:
        """Its state."""
        return Path(directory_of(self.home, self.key.name))

    @property
    def log(self) -> str:
        """`server.log`."""
        return (self.directory / "server.log").read_text(encoding="utf-8")

    def find(self) -> Generation | None:
        """See `find_shared`."""
        return find_shared(self.home, self.key)

    def ensure(self, **more: Any) -> Generation:
        """See `ensure_shared`."""
        return ensure_shared(self.home, self.key, **more)

    def replace(self) -> Generation:
        """See `replace_shared`."""
        return replace_shared(self.home, self.key)

    def write_login(self, **login: object) -> None:
        """Write `auth.json`."""
        (self.codex_home / "auth.json").write_text(json.dumps(login))

    def model(self, script: Script) -> None:
        """Serve a script, and make Codex use it."""
        model = self.opened.enter_context(ScriptedModel(script))
        features = {"plugins": False, "shell_snapshot": False}
        write_custom_provider(self.codex_home, model.base_url, features=features)

    def start_turn(self, generation: Generation, token_file: Path | None = None) -> Future[str]:
        """Run a turn there that may do anything; its result is Codex's word for its end, or our error's message."""
        where = generation.socket_path or generation.url
        token = None if token_file is None else str(token_file)
        return self._threads.submit(_run_turn, where, str(self.codex_home.parent), token)

    def is_in_a_session(self, text: str) -> bool:
        """Whether Codex has recorded a text of a turn.

        For a turn on a draining server: its last message is sometimes lost with the connection (seen on 0.163.0 and
        0.171.0).
        """
        sessions = (self.codex_home / "sessions").glob("**/*.jsonl")
        return any(text.encode() in path.read_bytes() for path in sessions)

    def processes(self) -> list[psutil.Process]:
        """Every live process of it."""
        return [each for each in with_variable(HOME, str(self.home)) if each.pid != os.getpid()]

    def end(self) -> None:
        """End every generation at once; nothing may be left of them."""
        for directory in (self.home / "servers").glob("*"):
            for generation in generations_in(str(directory)):
                retire(generation, at_once=True)
        wait_until(lambda: not self.processes(), what="the end of the shared server")
        self.opened.close()

    def kill(self) -> None:
        """Kill what is left of a test that has failed."""
        end(self.processes())
        self.opened.close()


def _run_turn(where: str, cwd: str, token_file: str | None) -> str:
    try:
        return ask(where, _turn(cwd), DEADLINE_S, token_file)
    except CodexServerError as error:
        return error.message


def _turn(cwd: str) -> Query[str]:
    yield from initialize(__version__)
    started = yield "thread/start", {"cwd": cwd, "sandbox": "danger-full-access", "approvalPolicy": "never"}
    if "error" in started:
        return str(started["error"])
    params = {"threadId": started["result"]["thread"]["id"], "input": [{"type": "text", "text": "go"}]}
    yield "turn/start", params
    completed = yield Listen("turn/completed")
    return str(completed["params"]["turn"]["status"])


def is_gone(pid: int) -> bool:
    """Whether there is no such process, or only a zombie."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
