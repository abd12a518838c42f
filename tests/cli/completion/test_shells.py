"""Each shell, live at a terminal: completion is installed as README says, and TAB offers what there is.

A shell that is not installed on this machine is skipped.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from codex_server_cli.core.account.account import Model
from tests.kit.home import COMMAND
from tests.kit.shell import Shell
from tests.kit.tmux import Terminal
from tests.kit.turns_on_disk import TurnsOnDisk

HOSTILE = "\\$(touch OWNED) $(touch OWNED) `touch OWNED`; 'a' \"b\": <c> & %d *"
"""A prompt that a shell would run, if it evaluated what it shows."""

SHELLS = {
    "bash": ["bash", "--norc", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "-i"],
}
RESTART = {
    "bash": "exec bash --rcfile ~/.bashrc -i",
    "zsh": "exec zsh -i",
    "fish": "exec fish -i",
}


@pytest.fixture
def place(shell: Shell, turns: TurnsOnDisk) -> Path:
    """The project, with directories, a file, turns, and a list of models."""
    asking = turns.running(name="asking")
    asking.pending.write_text(json.dumps({"version": 1, "pending": [{"id": "r1", "kind": "command"}]}))
    turns.complete(prompt=HOSTILE, name="mend", cwd=str(shell.project))
    model = Model("gpt-5.5", "GPT-5.5", HOSTILE, True, False, ("low",), "low", ("text",))
    (shell.home / "models.json").write_text(json.dumps({"version": 1, "codex": {}, "models": [model._asdict()]}))
    (shell.project / "source" / "in ner").mkdir(parents=True)
    (shell.project / "sample.txt").touch()
    return shell.project


class Prompt:
    """A shell at a terminal, at its prompt."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def run(self, command: str, shows: str) -> None:
        """Run a command, and wait for what it shows."""
        self._terminal.enter(command)
        self._terminal.wait_for(shows)

    def tab(self, line: str, *expected: str, absent: str = "", times: int = 1) -> None:
        """Type the beginning of a line, press TAB, and wait for what is expected; then drop the line."""
        self._terminal.press("C-l")
        self._terminal.type(line)
        self._terminal.wait_for(line.strip())
        self._terminal.press(*["Tab"] * times)
        screen = self._terminal.wait_for(lambda screen: all(word in screen for word in expected), 12)
        assert not absent or absent not in screen
        self._terminal.press("C-u")

    def tab_in_vain(self, line: str) -> None:
        """Type the beginning of a line, press TAB, and see that what is typed next follows it; then drop the line."""
        self._terminal.press("C-l")
        self._terminal.type(line)
        self._terminal.wait_for(line)
        self._terminal.press("Tab", "Tab")
        self._terminal.type("§")
        self._terminal.wait_for(f"{line}§")
        self._terminal.press("C-u")


@pytest.mark.full
@pytest.mark.parametrize("name", SHELLS)
def test_the_shell_completes_verbs_flags_values_and_turns(name: str, shell: Shell, place: Path, tmp_path: Path) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed on this machine")
    home = tmp_path / "user"
    home.mkdir()
    env = {**shell.env, "HOME": str(home), "PATH": f"{Path(COMMAND).parent}{os.pathsep}{shell.env['PATH']}"}
    env |= {"PS1": "> ", "TERM": "xterm", "LANG": "C.UTF-8"}
    with Terminal(tmp_path, SHELLS[name], env, cwd=place, columns=220, lines=40) as terminal:
        prompt = Prompt(terminal)
        prompt.run("codex-server --install-completion", f"{name} completes codex-server")
        prompt.run(f"{RESTART[name]}", "")
        prompt.run("echo rea''dy", "ready")
        prompt.tab("codex-server list-", "codex-server list-turns")
        prompt.tab("codex-server server res", "codex-server server restart")
        prompt.tab("codex-server new --questi", "--questions")
        prompt.tab("codex-server new --sandbox=dan", "--sandbox=danger-full-access")
        prompt.tab("codex-server new --model g", "--model gpt-5.5")
        prompt.tab("codex-server new --cwd so", "--cwd source/")
        prompt.tab("codex-server new --file sam", "--file sample.txt")
        if name != "fish":  # which suggests files by itself, as it does after any command
            for line in ("codex-server new --cwd sam", "codex-server new --deadline sam"):
                prompt.tab_in_vain(line)
        prompt.tab("codex-server approve a", "approve asking")
        prompt.tab("codex-server approve asking r", "approve asking r1")
        prompt.tab("codex-server tail ", "asking", "mend", "last", times=2)  # bash lists at the second
        prompt.tab("codex-server cancel a", "cancel asking", absent="mend")
    assert not [*shell.root.rglob("OWNED")]
