"""As process 1 of a container, which the kernel shields from default signal actions: SIGTERM ends it all the same."""

from __future__ import annotations

import shutil
import signal
import subprocess
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.kit.home import COMMAND, FIRST_HALF, Home
from tests.kit.support import DEADLINE_S, wait_until

UNSHARE = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child")
SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def first_process(home: Home, *words: str) -> subprocess.Popen[str]:
    """Run a command as process 1 of a new namespace."""
    if (
        shutil.which("unshare") is None
        or subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("this machine grants no process namespace")
    return subprocess.Popen(
        [*UNSHARE, COMMAND, *words],
        env=home.env,
        cwd=home.project,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.full
def test_a_command_that_waits_ends_at_a_signal_and_its_turn_goes_on(one_home: Home) -> None:
    turn, gate = one_home.start_held()
    for command in ("wait", "wait --until attention", "tail --follow", "watch", "tail --all --follow"):
        words = [*command.split(), *([] if command in ("watch", "tail --all --follow") else [turn.id])]
        outers = [first_process(one_home, *words) for _ in SIGNALS]
        for outer, signum in zip(outers, SIGNALS, strict=True):
            with outer:
                (inner,) = wait_until(psutil.Process(outer.pid).children, what=f"the command {command}")
                wait_until(partial(handles_signal, inner), what=f"a {command} that hears a signal")
                inner.send_signal(signum)
                _, stderr = outer.communicate(timeout=DEADLINE_S)
            assert outer.returncode == 128 + signum, (command, signum, stderr)
            assert "Traceback" not in stderr, (command, signum, stderr)
    assert not turn.is_ended
    gate.open()
    assert turn.wait()["state"] == "complete"


def handles_signal(process: psutil.Process, signum: int = signal.SIGTERM) -> bool:
    """Whether it has a handler for a signal; without one the signal has no effect."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return bool(int(status.partition("SigCgt:")[2].split()[0], 16) >> (signum - 1) & 1)


def test_new_that_waits_ends_at_a_signal(one_home: Home) -> None:
    gate_turn, gate = one_home.start_held()
    with first_process(one_home, "new", "hi", "--wait") as outer:
        second = one_home.new_turn(gate_turn)
        (inner,) = wait_until(
            lambda: [p for p in psutil.Process(outer.pid).children() if COMMAND in p.cmdline()], what="the command"
        )
        wait_until(lambda: handles_signal(inner), what="a command that hears it")
        inner.send_signal(signal.SIGTERM)
        outer.communicate(timeout=DEADLINE_S)
    assert outer.returncode == 143
    assert second.status()["state"] == "abandoned"  # its namespace died with its first process
    gate.open()
    assert FIRST_HALF in gate_turn.wait()["answer"]
