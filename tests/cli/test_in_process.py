"""A command in the test's own process leaves the process as it was: another test must not notice it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.kit.in_process import CapturedLaunch
from tests.kit.shell import Shell
from tests.kit.turns_on_disk import TurnsOnDisk


def state() -> dict[str, object]:
    """What a command could change, and another test could see."""
    return {
        "directory": Path.cwd(),
        "environment": dict(os.environ),
        "streams": (sys.stdin, sys.stdout, sys.stderr, [os.fstat(fd).st_ino for fd in range(3)]),
        "handlers": [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGALRM, signal.SIGTERM)],
        "has an alarm": signal.getitimer(signal.ITIMER_REAL)[0] > 0,
        "umask": Path(f"/proc/{os.getpid()}/status").read_text().partition("Umask:")[2].split()[0],
        "descriptors": sorted(os.listdir("/proc/self/fd")),  # noqa: PTH208
    }


def test_a_call_leaves_the_process_as_it_was(shell: Shell, turns: TurnsOnDisk) -> None:
    running = turns.running().turn_id
    shell.call("version")  # what is imported, and cached, once
    before = state()
    for words, code in (["wait", running, "--timeout", "0.05"], 124), (["status"], 0), (["wait"], 64):
        assert shell.call(*words, env={"CODEX_SERVER_NEW": "x"}).code == code
        assert state() == before, words
    assert "No such option" in shell.show("version", "--json")
    assert state() == before


def test_so_does_one_that_breaks(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def exit_(*_: object) -> None:
        raise SystemExit(3)

    before = state()
    monkeypatch.setattr("codex_server_cli.cli.app.run", exit_)
    with pytest.raises(SystemExit):
        shell.call("status")
    assert state() == before


def test_a_turn_is_only_started_if_the_test_takes_it(shell: Shell) -> None:
    run = shell.call("new", "hi")
    assert (run.code, run.error["kind"], "a turn would have been started" in run.stderr) == (1, "internal", True)
    taken = CapturedLaunch()
    assert shell.call("new", "hi", launch=taken).code == 0
    assert (taken.prompts, shell.left) == (["hi"], [])
