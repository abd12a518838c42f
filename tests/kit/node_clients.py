"""Clients of OpenAI's API for node, in one process that plays scenarios. Never here: scenarios.

Owns the install of all that is npm's.
"""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import queue
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.kit.support import DEADLINE_S, Json

_FILES = Path(__file__).parents[1] / "judges" / "node"
_BUILD = Path(__file__).parents[2] / ".build"
_OLDEST = 20
"""The packages ask for node 22, and npm says so; what is played here runs with 20, too."""
_INSTALL_S = 300.0


def absence() -> str | None:
    """Why these clients cannot be played on this machine; None where they can."""
    if not (shutil.which("node") and shutil.which("npm")):
        return "no node, or no npm, on PATH"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    is_old = int(version.removeprefix("v").partition(".")[0]) < _OLDEST
    return f"node {version} is older than {_OLDEST}" if is_old else None


def fetch() -> None:
    """Fetch the packages ahead of the tests (test.sh calls it); nothing where there is no node."""
    if absence() is None:
        packages()


def packages() -> Path:
    """The directory of the packages, which are fetched if they are not there.

    Raises:
        AssertionError: npm has failed; its words.
    """
    folder, wanted = _BUILD / "node-clients", (_FILES / "package.json").read_text()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may come here at once
        stamp = folder / ".stamp"
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(folder / "node_modules", ignore_errors=True)
            (folder / "package.json").write_text(wanted)
            _install(folder)
            stamp.write_text(wanted)
    return folder / "node_modules"


def _install(folder: Path) -> None:
    options = ["--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    # Tests have an empty home; npm is set up in the user's own, where it may be told of another registry.
    env = {**os.environ, "HOME": pwd.getpwuid(os.getuid()).pw_dir}
    ended = subprocess.run(
        ["npm", "install", *options],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_INSTALL_S,
    )
    assert ended.returncode == 0, ended.stderr


class NodeClients:
    """A node process that plays scenarios, one after the other; after a test that failed there is another one."""

    def __init__(self, root: Path) -> None:
        """Install what is missing.

        Args:
            root: an empty directory, for the scripts beside their packages and for what node complains of.
        """
        for script in _FILES.glob("*.mjs"):
            shutil.copy(script, root)
        (root / "node_modules").symlink_to(packages())
        self._root, self._complaints = root, root / "stderr"
        self._env = dict(os.environ)  # that of a gateway, which is there later, would make it one of its processes
        self._process: subprocess.Popen[str] | None = None

    def play(self, scenario: str, base_url: str, *, leave_after: Callable[[], object] | None, **asked: object) -> Json:
        """Play one scenario.

        Args:
            scenario: `FILE.NAME`, a function of one of the scripts.
            base_url: of the API.
            leave_after: what is waited for, until the client is told to leave.
            asked: what that function takes.

        Returns:
            `{"returned": …}` or `{"thrown": {"name", "message", "status", "code", …}}`.
        """
        self._start()
        self._say({"scenario": scenario, "baseURL": base_url, **asked})
        if leave_after is not None:
            leave_after()
            self._say({"leave": True})
        try:
            line = self._lines.get(timeout=DEADLINE_S)
        except queue.Empty:
            line = ""
        assert line, f"{scenario}: no answer. {self._complaints.read_text()}"
        answer: Json = json.loads(line)
        return answer

    def _start(self) -> None:
        """Start it, unless it runs: what a failed test had is killed (`tests.kit.failed`)."""
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        command: list[str | Path] = ["node", self._root / "run.mjs"]
        pipe = subprocess.PIPE
        with self._complaints.open("wb") as stderr:
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=stderr, text=True, env=self._env)
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True, name="node's answers")
        self._reader.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def _say(self, message: Json) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def run(self, program: str) -> str:
        """What a program of a user prints; the test fails where it complains."""
        path = self._root / "program.mjs"
        path.write_text(program)
        ended = subprocess.run(["node", path], capture_output=True, text=True, timeout=DEADLINE_S)
        assert (ended.returncode, ended.stderr) == (0, ""), ended
        return ended.stdout

    def close(self) -> None:
        """End it."""
        if self._process is None:
            return
        with self._process as process:  # closes its pipes and waits
            process.kill()
            self._reader.join()
        self._process = None


class NodeClient:
    """One of the clients, in front of one gateway."""

    def __init__(self, clients: NodeClients, url: str, scenarios: str, **given: object) -> None:
        """Bind them.

        Args:
            clients: the process that plays.
            url: of the gateway.
            scenarios: the file that they are in.
            given: what each of them takes.
        """
        self._clients, self._base_url, self._scenarios, self._given = clients, f"{url}/v1", scenarios, given

    def __call__(self, name: str, text: str = "", **more: Any) -> Any:
        """What a scenario returns; one that throws fails the test.

        Args:
            name: of the scenario.
            text: what the model reads at the end of the first request.
            more: what else the scenario takes; and `leave_after`.
        """
        answer = self._play(name, text, **more)
        assert "thrown" not in answer, answer
        return answer["returned"]

    def failure(self, name: str, text: str = "", **more: Any) -> Json:
        """What a scenario throws: `name`, `message`, `status`, `code`, `param`, `headers`, `last`."""
        answer = self._play(name, text, **more)
        assert "thrown" in answer, answer
        thrown: Json = answer["thrown"]
        return thrown

    def _play(self, name: str, text: str, *, leave_after: Callable[[], object] | None = None, **more: Any) -> Json:
        asked = {"text": text, "maxRetries": 0, **self._given, **more}
        return self._clients.play(f"{self._scenarios}.{name}", self._base_url, leave_after=leave_after, **asked)


def clients_in(factory: pytest.TempPathFactory) -> NodeClients:
    """The clients, or the test is skipped with the reason that there are none."""
    reason = absence()
    if reason:
        pytest.skip(reason)
    return NodeClients(factory.mktemp("node"))
