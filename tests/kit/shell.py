"""A user at a shell: a home that does not exist yet, a `codex` that does what the test needs, one command at a time.

Owns the commands and the one check that all refusals share. For whole turns with a model see `tests.e2e`.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from codex_server_cli.demo.codex_home import write_custom_provider
from codex_server_cli.settings.environment import JOB_VARIABLES
from codex_server_cli.worker.launch import Launch
from tests.fakes import codex as fake
from tests.kit import in_process
from tests.kit.command_run import Run
from tests.kit.home import COMMAND
from tests.kit.processes import end, with_variable
from tests.kit.support import DEADLINE_S, make_repository, wait_until

NOWHERE = "http://127.0.0.1:9/v1"
JSON_VERBS = ("new", "continue", "status", "cancel", "recover")
_OUR_VARIABLES = ("CODEX_", "OPENAI_", "CODEX_SERVER_", *JOB_VARIABLES)


class Shell:
    """Where commands are run.

    Attributes:
        home: CODEX_SERVER_HOME, which does not exist yet.
        codex_home: CODEX_HOME, with a provider that needs no login and does not exist.
        project: where commands run by default.
        bin: the first directory on PATH; holds `codex`.
        env: the environment of commands; tests may change it.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.home, self.codex_home = root, root / "home", root / "codex-home"
        self.project, self.bin = root / "project", root / "bin"
        make_repository(self.project)
        write_custom_provider(self.codex_home, NOWHERE)
        self.install("exits")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OUR_VARIABLES)}
        self.env = inherited | {
            "HOME": str(root),
            "CODEX_SERVER_HOME": str(self.home),
            "CODEX_HOME": str(self.codex_home),
            "PATH": f"{self.bin}:/usr/bin:/bin",
        }

    def install(self, app_server: str, **options: Any) -> Path:
        """Put a misbehaving `codex` on PATH: see `tests.fakes.codex.write`."""
        return fake.write(self.bin / "codex", app_server, **options)

    def configure(self, text: str) -> None:
        """Write `config.json`."""
        self.home.mkdir(mode=0o700, exist_ok=True)
        (self.home / "config.json").write_text(text)

    def run(
        self,
        *arguments: str | bytes,
        stdin: bytes = b"",
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        under: Sequence[str] = (),
    ) -> Run:
        """Run `codex-server ARGUMENTS` to its end; `under` is a command that runs it, like `unshare …`."""
        started = time.monotonic()
        run = subprocess.run(
            [*under, COMMAND, *arguments],
            input=stdin,
            capture_output=True,
            cwd=cwd or self.project,
            env=self.env | dict(env or {}),
            timeout=DEADLINE_S,
            check=False,
        )
        return Run(run.returncode, run.stdout.decode(), run.stderr.decode(), time.monotonic() - started)

    def call(
        self,
        *arguments: str | bytes,
        stdin: bytes | int = b"",
        cwd: Path | int | None = None,
        env: Mapping[str, str] | None = None,
        launch: Launch | None = None,
    ) -> Run:
        """The same in the test's own process, for a command that starts no turn: see `in_process.call`."""
        directory = self.project if cwd is None else cwd
        return in_process.call(*arguments, env=self.env | dict(env or {}), cwd=directory, stdin=stdin, launch=launch)

    def show(self, *arguments: str, cwd: Path | None = None) -> str:
        """What a terminal shows of a command in the test's own process: see `in_process.show`."""
        return in_process.show(*arguments, env=self.env, cwd=cwd or self.project)

    def spawn(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `codex-server ARGUMENTS` with pipes for its streams."""
        return subprocess.Popen(
            [COMMAND, *arguments],
            cwd=self.project,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def left(self) -> list[str]:
        """The entries of the home's `turns`, half-made directories included."""
        turns = self.home / "turns"
        return sorted(path.name for path in turns.iterdir()) if turns.is_dir() else []

    def start_silent(self) -> str:
        """Start a turn whose codex never answers; return its id."""
        self.install("silent")
        run = self.run("new", "hi")
        assert run.code == 0, run
        turn_id: str = run.json["turn_id"]
        return turn_id

    def close(self, *, has_failed: bool = False) -> None:
        """Cancel what runs, and assert that no process is left; where the test has failed, kill the rest."""
        if has_failed:
            end(self._processes())
            return
        for turn_id in self.left:
            if not any((self.home / "turns" / turn_id / name).exists() for name in ("done", "error")):
                self.call("cancel", turn_id)
        wait_until(lambda: not self._processes(), what="the end of every process")

    def _processes(self) -> list[psutil.Process]:
        return with_variable("CODEX_SERVER_HOME", self.env["CODEX_SERVER_HOME"])


def assert_refused(run: Run, code: int, expected: str, *, as_json: bool, case: object = None) -> None:
    """One clear line on stderr and a hint; where the verb promises JSON, the hint is there alone; no traceback.

    Args:
        case: what the message of a failure names, in a loop over several.
    """
    told = (case, run)
    assert run.code == code, told
    line, _, hint = run.stderr.removesuffix("\n").partition("\n")
    assert line.startswith("codex-server: "), told
    assert expected in line, told
    assert "Traceback" not in run.stderr, told
    assert "defect" not in run.stderr, told
    if not as_json:
        assert run.stdout == "", told
        return
    document = json.loads(run.stdout)
    assert set(document) == {"version", "error"}, told
    assert document["version"] == 2
    error = document["error"]
    assert {"kind", "message", "exit_code"} <= set(error) <= {"kind", "message", "hint", "exit_code"}, told
    assert (error["message"], error["exit_code"], hint) == (line.removeprefix("codex-server: "), code, ""), told
