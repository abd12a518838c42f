"""Fixtures of the tests of the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.coverage_floor import environment_for
from tests.kit.failed import has_failed
from tests.kit.shell import Shell
from tests.kit.turns_on_disk import TurnsOnDisk

TAKING = f"""\
#!{sys.executable}
import os
from pathlib import Path
from codex_server_cli.actions.control import prepare
from codex_server_cli.cli import entry
from codex_server_cli.worker.launch import Launch

class Taken(Launch):
    def hand_over(self, turns_path, prompt, *more):
        turns_path.mkdir(parents=True, exist_ok=True)
        turn = turns_path / f"{{len(os.listdir(turns_path))}}"
        turn.mkdir()
        (turn / "prompt.txt").write_text(prompt, encoding="utf-8", newline="")
        (turn / "done").touch()
        return turn.name, False

prepare.prepare = Taken
entry.main()
"""
"""`codex-server` without a worker: what would be handed to it becomes the `prompt.txt` of a turn."""


@pytest.fixture
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shell]:
    """A shell; no process outlives it."""
    shell = Shell(tmp_path)
    shell.env |= environment_for(request.node)
    yield shell
    shell.close(has_failed=has_failed(request.node))


@pytest.fixture
def turns(shell: Shell) -> Iterator[TurnsOnDisk]:
    """The turns of the shell's home."""
    with TurnsOnDisk(shell.home / "turns") as turns:
        yield turns


@pytest.fixture
def taking(shell: Shell) -> str:
    """The path of `TAKING`, for a home with a pinned codex, which is not probed."""
    path = shell.bin / "taking"
    path.write_text(TAKING)
    path.chmod(0o755)
    shell.configure(json.dumps({"codex": str(shell.bin / "codex")}))
    return str(path)
