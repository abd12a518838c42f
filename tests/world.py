"""A user's whole world in one directory: a home, a project, a scripted model, and the real commands on PATH.

For tests that run `codex-server` as people and agents run it. Never here: assertions about the product.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from codex_server_cli.demo.codex_home import write_custom_provider
from codex_server_cli.demo.scripted_model import Script, ScriptedModel
from tests.support import Json, codex_env, wait_until

_MODEL = "gpt-5.5"  # a name that both codex versions know: for others they warn in every turn


class World:
    """Everything that a turn needs, and nothing of the machine's own: enter it, run commands, leave no process."""

    def __init__(self, root: Path, codex: Path, script: Script) -> None:
        self.home = root / "home"
        self.project = self.home / "project"
        self.codex_home = self.home / ".codex"
        self.turns = self.home / ".codex-server" / "turns"
        self.model = ScriptedModel(script)
        commands = root / "bin"
        for directory in (self.project / ".git", self.codex_home, commands):
            directory.mkdir(parents=True)
        self._write_command(commands / "codex-server", f'exec {sys.executable} -m codex_server_cli "$@"')
        (commands / "codex").symlink_to(codex)
        self.env = codex_env(
            self.codex_home,
            HOME=str(self.home),
            CODEX_SERVER_HOME=str(self.turns.parent),
            PATH=f"{commands}{os.pathsep}{os.environ['PATH']}",
            TERM="xterm-256color",
        )
        self.env.pop("CODEX_SERVER_TURN_ID", None)

    @staticmethod
    def _write_command(path: Path, line: str) -> None:
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)

    def __enter__(self) -> World:
        self.model.__enter__()
        write_custom_provider(self.codex_home, self.model.base_url, model=_MODEL)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            running = [turn["turn_id"] for turn in self.json("status")["turns"]]
            if running:
                self.run("cancel", *running)
        finally:
            self.model.close()

    def run(
        self, *arguments: str, stdin: str | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `codex-server` with these arguments in the project (or in `cwd`), outside of any terminal."""
        return subprocess.run(
            ["codex-server", *arguments],
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            env=self.env,
            cwd=cwd or self.project,
            timeout=30,
            check=False,
        )

    def json(self, *arguments: str, stdin: str | None = None) -> Json:
        """The JSON object that a command prints on stdout, whatever its exit code."""
        document: Json = json.loads(self.run(*arguments, stdin=stdin).stdout)
        return document

    def start(self, prompt: str, *arguments: str) -> str:
        """Start a turn with `new` and return its id."""
        turn_id: str = self.json("new", "-", *arguments, stdin=prompt)["turn_id"]
        return turn_id

    def wait_for_text(self, turn_id: str, text: str) -> None:
        """Block until `out.txt` of a turn holds `text`."""
        out = self.turns / turn_id / "out.txt"
        wait_until(lambda: text in out.read_text(), what=f"{text!r} in out.txt")
