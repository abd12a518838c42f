"""Start-up time is a feature: what a command must not import, because a user waits for it.

Nor may a queued turn, of which there may be hundreds.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from codex_server_cli.cli.table import VERBS
from codex_server_cli.settings.environment import interpreter
from tests.kit.shell import Shell

HEAVY = (
    "typer",
    "click",
    "rich",
    "inspect",
    "watchfiles",
    "psutil",
    "jsonschema",
    "pydantic",
    "asyncio",
    "platformdirs",
    "websockets",
    "http",
    "PIL",
)
FOR_PEOPLE = {"codex_server_cli.render.style.ink", "codex_server_cli.render.style.wrap", "shlex"}
"""What only a terminal needs, and a bell."""

WORKER_MODULES = "import codex_server_cli.worker.main{more}, sys; print(*sys.modules, sep='\\n')"

INTERRUPTED_IMPORT = """
import os, signal, sys
from codex_server_cli.cli import entry, verb

class Callback:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)

def load(self, load=verb.Verb.load):
    Callback()
    return load(self)

verb.Verb.load = load
sys.argv = ["codex-server", "version"]
entry.main()
"""
"""An interrupt comes where Python drops exceptions, as in the callbacks of its own import system."""


def imported(importtime: str) -> set[str]:
    """The modules that `-X importtime` names."""
    lines = (line for line in importtime.splitlines() if line.startswith("import time:"))
    return {line.rpartition("|")[2].strip() for line in lines}


def heavy(modules: set[str]) -> set[str]:
    return {name for name in modules if name.partition(".")[0] in HEAVY}


def test_new_imports_what_it_needs_and_answers_whatever_its_interpreter_says(shell: Shell) -> None:
    run = shell.run("new", "hi", env={"PYTHONPROFILEIMPORTTIME": "1"})
    modules = imported(run.stderr)
    assert "codex_server_cli.worker.launch" in modules
    assert heavy(modules) == set()
    assert not {name for name in modules if name.startswith("codex_server_cli.disk.turn.reader")}
    assert not modules & FOR_PEOPLE
    assert run.json["state"] == "running"
    assert shell.run("wait", run.json["turn_id"]).code == 1


@pytest.mark.parametrize("command", ["status", "list-turns", "cancel 2026", "answer 2026", "tail 2026", "wait 2026"])
def test_a_reader_imports_no_process_business(shell: Shell, command: str) -> None:
    modules = imported(shell.run(*command.split(), env={"PYTHONPROFILEIMPORTTIME": "1"}).stderr)
    assert "codex_server_cli.actions.read.read" in modules
    assert heavy(modules) == set()
    assert command not in ("status", "cancel 2026") or not modules & FOR_PEOPLE
    assert not {
        name
        for name in modules
        if name.startswith(("codex_server_cli.worker", "codex_server_cli.codex", "codex_server_cli.demo"))
    }


def test_only_the_module_of_the_verb_is_imported(shell: Shell) -> None:
    code = "from codex_server_cli.cli.app import run; import sys; run(['status']); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], env=shell.env, capture_output=True, text=True, check=True)
    of_verbs = {f"codex_server_cli.cli.{verb.target.partition(':')[0]}" for verb in VERBS.values()}
    assert of_verbs & set(run.stdout.split()) == {"codex_server_cli.cli.verbs.status"}


def test_the_worker_is_spawned_before_anything_heavy_is_imported(shell: Shell) -> None:
    lines = shell.run("new", "", env={"PYTHONPROFILEIMPORTTIME": "1"}).stderr.splitlines()
    names = [line.rpartition("|")[2].strip() for line in lines]
    ours = names.index("codex_server_cli")  # before it: what pip's own script for the command imports
    before = set(names[ours : names.index("codex_server_cli.actions.control.prepare")])
    assert not before & {"typing", "re", "enum", "json", "pathlib", "subprocess", "typer", "codex_server_cli.errors"}


def worker_modules(more: str = "") -> set[str]:
    code = WORKER_MODULES.format(more=more)
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_a_worker_imports_nothing_that_runs_a_turn_before_it_has_reported_it() -> None:
    modules = {name.removeprefix("codex_server_cli.") for name in worker_modules()}
    assert {"disk.turn.layout", "disk.queue.queue"} <= modules
    assert not modules & {"worker.run", "worker.loop", "core.session.session", "disk.journal.journal", "subprocess"}


def test_the_worker_imports_no_face() -> None:
    modules = worker_modules(", codex_server_cli.worker.run")
    assert "codex_server_cli.worker.loop" in modules
    assert heavy(modules) == set()
    assert not {name for name in modules if name.partition(".")[0] in ("typer", "click", "ctypes", "inspect", "ast")}
    assert not {name for name in modules if name.startswith(("codex_server_cli.cli", "codex_server_cli.actions"))}


def test_a_turn_that_changes_nothing_imports_nothing_that_reads_diffs_or_runs_git() -> None:
    modules = {name.removeprefix("codex_server_cli.") for name in worker_modules(", codex_server_cli.worker.run")}
    assert {"worker.loop", "core.record.changes"} <= modules
    git = {name for name in modules if name.startswith("worker.git.")}
    assert git == {"worker.git.workplace"}
    assert "core.model.unified_diff" not in modules


def test_a_queued_turn_imports_nothing_heavy_and_no_journal() -> None:
    heavy = {"typing", "psutil", "subprocess", "threading", "codex_server_cli.disk.journal.journal"}
    # limit_wait: one that waits for a reset
    code = "from codex_server_cli.worker import limit_wait, queue_wait; print(*sys.modules)"
    run = subprocess.run(interpreter(code), capture_output=True, text=True, check=True)
    bare = subprocess.run(interpreter("print(*sys.modules)"), capture_output=True, text=True, check=True)
    modules = set(run.stdout.split()) - set(bare.stdout.split())  # bare: what the user's environment itself imports
    assert "codex_server_cli.worker.queue_wait" in modules
    assert heavy & modules == set()


def test_an_interrupt_that_comes_while_modules_are_imported_ends_the_command() -> None:
    run = subprocess.run([sys.executable, "-c", INTERRUPTED_IMPORT], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (130, "", "")
