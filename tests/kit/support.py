"""Helpers that many tests share: the real binaries, the one polling loop, and a small app-server driver.

Never here: assertions about the product, or anything that only one test file needs.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import pytest

from codex_server_cli.settings.environment import JOB_VARIABLES

Json = dict[str, Any]
T = TypeVar("T")

NPM_CODEX_ENV = "CODEX_SERVER_TEST_NPM_CODEX"
DEADLINE_S = 120.0
"""How long a test waits at most for what it expects: the one deadline of the suite, since it costs nothing where the
expected comes. It is long enough for a slow and busy machine; pytest's own timeout is several times as long."""
_POLL_S, _LONGEST_POLL_S = 0.01, 0.1
_END_S = 30.0
"""For an app-server after EOF on its stdin; no test asserts anything about how it ends then."""
NO_EXTRAS = {"plugins": False, "shell_snapshot": False}
"""What is switched off in the Codex of tests: the list of plugins, which it asks the network for, and a snapshot of the
login shell. They are a quarter of what a turn costs."""
# A rejected ChatGPT token makes codex ask for a new one; no test may reach the real service. Port 9 refuses.
_NOWHERE = "http://127.0.0.1:9/"
_API_KEYS = ("OPENAI_API_KEY", "CODEX_API_KEY", "CODEX_ACCESS_TOKEN")


def codex_binaries() -> list[tuple[str, Path]]:
    """The real codex binaries to test against, as (label, path): PyPI's, and npm's where the environment names it."""
    found: list[tuple[str, Path]] = []
    package = find_spec("codex_cli_bin")
    if package is not None and package.submodule_search_locations:
        found.append(("pypi", Path(package.submodule_search_locations[0]) / "bin" / "codex"))
    if npm := os.environ.get(NPM_CODEX_ENV):
        found.append(("npm", Path(npm)))
    return [(label, path) for label, path in found if path.exists()]


def has_second_codex(test: pytest.Item) -> bool:
    """Whether a test runs with the second codex version."""
    case = getattr(test, "callspec", None)
    second = {label for label, _ in codex_binaries()[1:]}
    return case is not None and bool(second.intersection(case.id.split("-")))


def spared_features(codex: Path) -> dict[str, bool]:
    """What is switched off in the Codex of a version: of the second one nothing, so that its extras are met as well."""
    return {} if str(codex) == os.environ.get(NPM_CODEX_ENV) else NO_EXTRAS


def wait_until(predicate: Callable[[], T], timeout_s: float = DEADLINE_S, what: str = "the expected state") -> T:
    """Poll until `predicate` is truthy and return its value; raise `AssertionError` naming `what` at the deadline."""
    started = time.monotonic()
    looked = started
    while not (value := predicate()):
        now = time.monotonic()
        if now > started + timeout_s:
            raise AssertionError(f"{what} did not come within {timeout_s:g} s")
        # A look over all processes costs a third of a processor at most: the others need it for what is waited for.
        time.sleep(max(_POLL_S, min(2 * (now - looked), _LONGEST_POLL_S)))
        looked = time.monotonic()
    return value


def delete_tree(path: Path) -> None:
    """Delete a directory that a worker may be writing at this moment."""

    def is_gone() -> bool:
        shutil.rmtree(path, ignore_errors=True)
        return not path.exists()

    wait_until(is_gone, what=f"the end of {path}")


def codex_env(codex_home: Path, **more: str) -> dict[str, str]:
    """An environment for a real codex: ours, less every API key, with `CODEX_HOME` set, kept off the network, and as if
    it were in no CI job."""
    env = {name: value for name, value in os.environ.items() if name not in (*_API_KEYS, *JOB_VARIABLES)}
    tokens = {"CODEX_REFRESH_TOKEN_URL_OVERRIDE": _NOWHERE, "CODEX_REVOKE_TOKEN_URL_OVERRIDE": _NOWHERE}
    return {**env, **tokens, "CODEX_HOME": str(codex_home), **more}


def make_repository(path: Path) -> None:
    """What git takes for a repository without a commit: the same as `git init`, without a process."""
    for folder in ("objects", "refs"):
        (path / ".git" / folder).mkdir(parents=True)
    (path / ".git" / "HEAD").write_text("ref: refs/heads/main\n")


class StdioAppServer:
    """A real `codex app-server` over stdio: requests in, notifications collected.

    Server requests are declined with a JSON-RPC error unless `answers` maps their method to a result.
    """

    def __init__(
        self,
        codex: Path,
        codex_home: Path,
        *args: str,
        answers: Mapping[str, Json] | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.notifications: list[Json] = []
        self.server_requests: list[Json] = []
        self.stderr = ""
        self._answers = dict(answers or {})
        self._replies: dict[int, Json] = {}
        self._changed = threading.Condition()
        self._is_open = True
        self._next_id = 0
        self._process = subprocess.Popen(
            [codex, "app-server", *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=codex_env(codex_home) if env is None else env,
            cwd=cwd or codex_home,
        )
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._read, self._drain)]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> StdioAppServer:
        try:
            self._initialize()
        except BaseException:
            self.close()
            raise
        return self

    def _initialize(self) -> None:
        self.request(
            "initialize",
            {
                "clientInfo": {"name": "codex_server_test", "version": "0"},
                "capabilities": {"experimentalApi": True},
            },
        )
        self.notify("initialized")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End by EOF on stdin, then SIGKILL; leave no process, thread or pipe behind."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for thread in self._threads:
            thread.join(DEADLINE_S)
        self._process.stdout.close()
        self._process.stderr.close()

    @property
    def pid(self) -> int:
        """The app-server's process id."""
        return self._process.pid

    def request(self, method: str, params: Json | None = None, timeout_s: float = DEADLINE_S) -> Json:
        """Send a request and return its result; raise `AssertionError` on an error reply or silence."""
        return self.result_of(self.send(method, params), timeout_s)

    def result_of(self, request_id: int, timeout_s: float = 60.0) -> Json:
        """The result of a request that `send` has sent; raise `AssertionError` on an error reply or silence."""
        with self._changed:
            self._changed.wait_for(lambda: request_id in self._replies or not self._is_open, timeout_s)
            reply = self._replies.get(request_id)
        assert reply is not None, f"no reply to request {request_id}: {self.stderr}"
        assert "result" in reply, f"request {request_id}: {reply['error']}"
        result: Json = reply["result"]
        return result

    def send(self, method: str, params: Json | None = None) -> int:
        """Send a request without waiting; return its id."""
        self._next_id += 1
        self._write({"id": self._next_id, "method": method, "params": params if params is not None else {}})
        return self._next_id

    def notify(self, method: str) -> None:
        """Send a notification without params."""
        self._write({"method": method})

    def start_thread(self, cwd: Path, **params: Any) -> str:
        """Start a read-only thread that never asks, unless `params` say otherwise; return its id."""
        defaults = {"cwd": str(cwd), "sandbox": "read-only", "approvalPolicy": "never"}
        thread_id: str = self.request("thread/start", {**defaults, **params})["thread"]["id"]
        return thread_id

    def start_turn(self, thread_id: str, text: str = "go", **params: Any) -> str:
        """Start a turn; return its id."""
        message = [{"type": "text", "text": text}]
        turn_id: str = self.request("turn/start", {"threadId": thread_id, "input": message, **params})["turn"]["id"]
        return turn_id

    def wait_for(self, method: str, timeout_s: float = DEADLINE_S, **params: Any) -> Json:
        """Return the params of the first notification of this method that has these members."""

        def match() -> Json | None:
            for message in self.notifications:
                if message["method"] == method and params.items() <= message["params"].items():
                    return message
            return None

        with self._changed:
            self._changed.wait_for(lambda: match() or not self._is_open, timeout_s)
            message = match()
        assert message is not None, f"no {method} {params}: {self.notifications[-3:]} {self.stderr}"
        found: Json = message["params"]
        return found

    def run_turn(self, thread_id: str, text: str = "go", timeout_s: float = DEADLINE_S, **params: Any) -> Json:
        """Start a turn, wait for its end and return the final `turn` object."""
        self.start_turn(thread_id, text, **params)
        turn: Json = self.wait_for("turn/completed", timeout_s, threadId=thread_id)["turn"]
        return turn

    def of(self, method: str) -> list[Json]:
        """The params of every notification of this method so far."""
        with self._changed:
            return [message["params"] for message in self.notifications if message["method"] == method]

    def items(self, kind: str) -> list[Json]:
        """Every completed item of this type so far."""
        return [params["item"] for params in self.of("item/completed") if params["item"]["type"] == kind]

    def _write(self, message: Json) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            with self._changed:
                if "method" not in message:
                    self._replies[message["id"]] = message
                elif "id" in message:
                    self.server_requests.append(message)
                    self._answer(message)
                else:
                    self.notifications.append(message)
                self._changed.notify_all()
        with self._changed:
            self._is_open = False
            self._changed.notify_all()

    def _answer(self, message: Json) -> None:
        refusal = {"error": {"code": -32601, "message": "unsupported"}}
        result = self._answers.get(message["method"])
        with contextlib.suppress(OSError, ValueError):  # the server may be ending
            self._write({"id": message["id"], **(refusal if result is None else {"result": result})})

    def _drain(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.stderr = (self.stderr + line.decode(errors="replace"))[-4000:]
