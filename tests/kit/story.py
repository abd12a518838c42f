"""What the steps of one scenario share: a home, the turns so far, and the last command.

Never here: steps, or assertions about the product.
"""

from __future__ import annotations

from pathlib import Path

import psutil

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.scripted_model import Script, ScriptedModel
from tests.kit.command_run import Run
from tests.kit.home import Home, Turn
from tests.kit.support import Json


class Story:
    """What one scenario has done so far.

    Attributes:
        gate: what holds a model back.
        turns: the turns that were started, oldest first.
        processes: those whose end the scenario waits for.
        config_toml: Codex's configuration before any turn.
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self.gate = Gate()
        self.turns: list[Turn] = []
        self.processes: list[psutil.Process] = []
        self.config_toml = ""
        self._model: ScriptedModel | None = None
        self._run: Run | None = None

    def serve(self, script: Script) -> None:
        """Let the model follow a script."""
        self._model = self.home.model(script)
        self.config_toml = (self.home.codex_home / "config.toml").read_text()

    def run(self, *arguments: str, cwd: Path | None = None) -> Run:
        """Run a command and remember its result, and the turn that it names."""
        self._run = self.home.run(*arguments, cwd=cwd)
        if self._run.stdout.startswith("{") and "turn_id" in self._run.json:
            self.remember(self._run.json["turn_id"])
        return self._run

    def remember(self, turn_id: str) -> None:
        """Make `turn` the current one."""
        if turn_id not in [turn.id for turn in self.turns]:
            self.turns.append(self.home.turn(turn_id))

    @property
    def model(self) -> ScriptedModel:
        """The model that was scripted last."""
        assert self._model is not None
        return self._model

    @property
    def last(self) -> Run:
        """The last command."""
        assert self._run is not None
        return self._run

    @property
    def turn(self) -> Turn:
        """The newest turn."""
        return self.turns[-1]

    @property
    def error(self) -> Json:
        """The error of the turn."""
        error: Json = self.turn.status()["error"]
        return error


def is_alive(process: psutil.Process) -> bool:
    """Whether a process still runs; a zombie does not."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
