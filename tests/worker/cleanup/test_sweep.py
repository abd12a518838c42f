"""No process of a turn outlives it: what the sweep finds, what it leaves alone, and how it ends what resists."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import psutil
import pytest

from codex_server_cli.disk.process import process_identity
from codex_server_cli.worker.cleanup import sweep as sweep_module
from codex_server_cli.worker.cleanup.sweep import sweep
from tests.kit.support import DEADLINE_S, wait_until

TURN_ID = f"20261120-165501-482-{os.getpid() & 0xFFFF:04x}"
OTHER_ID = f"20261120-165502-482-{os.getpid() & 0xFFFF:04x}"
PAUSE = "print('ready', flush=True); import signal; signal.pause()"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {PAUSE}"

# A worker whose child starts another in a new session with an empty environment, and exits.
WORKER = f"""
import os, subprocess, sys, time
from codex_server_cli.worker.cleanup.sweep import become_subreaper, sweep
become_subreaper(0)
PARENT = '''
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {PAUSE!r}], env={{}}, start_new_session=True, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
os._exit(0)
'''
parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE)
orphan = int(parent.stdout.readline())
other = subprocess.Popen([sys.executable, "-c", {PAUSE!r}], env={{"CODEX_SERVER_TURN_ID": sys.argv[2]}},
                         stdout=subprocess.PIPE)
other.stdout.readline()
parent.stdout.close()
try:
    parent.wait()
except ChildProcessError:
    pass
print(sweep(sys.argv[1], is_worker=True), orphan, other.pid, flush=True)
"""

# A worker whose child belongs to another turn and has started one that lost its mark.
NESTED_WORKER = f"""
import subprocess, sys
from codex_server_cli.worker.cleanup.sweep import become_subreaper, sweep
become_subreaper(0)
OTHER = '''
import signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {PAUSE!r}], env={{}}, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
signal.pause()
'''
other = subprocess.Popen([sys.executable, "-c", OTHER], env={{"CODEX_SERVER_TURN_ID": sys.argv[2]}},
                         stdout=subprocess.PIPE)
below = int(other.stdout.readline())
print(sweep(sys.argv[1], is_worker=True), other.pid, below, flush=True)
"""

# The leader of a session that starts another process in it, with no environment, and exits.
LEADER = f"""
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {PAUSE!r}, *sys.argv[1:]], env={{}}, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
os._exit(0)
"""
HELPER = "--codex-run-as-fs-helper"

Spawn = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Start a process with the mark of a turn, or without; all are dead after the test."""
    processes: list[subprocess.Popen[bytes]] = []

    def spawn(turn_id: str | None, code: str = PAUSE, *, has_own_session: bool = False) -> subprocess.Popen[bytes]:
        env = {name: value for name, value in os.environ.items() if name != "CODEX_SERVER_TURN_ID"}
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            env=env if turn_id is None else env | {"CODEX_SERVER_TURN_ID": turn_id},
            stdout=subprocess.PIPE,
            start_new_session=has_own_session,
        )
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        return process

    yield spawn
    for process in processes:
        process.kill()
        process.communicate()


def test_what_bears_the_mark_is_ended_also_in_a_session_of_its_own(spawn: Spawn) -> None:
    marked = [spawn(TURN_ID), spawn(TURN_ID, has_own_session=True)]
    assert sweep(TURN_ID) == 2
    assert all(process.poll() is not None for process in marked)


def test_what_ignores_sigterm_is_killed(spawn: Spawn) -> None:
    marked = spawn(TURN_ID, STUBBORN)
    assert sweep(TURN_ID) == 1
    assert marked.poll() is not None


def test_another_turn_an_unmarked_process_and_a_longer_id_are_left_alone(spawn: Spawn) -> None:
    others = [spawn(OTHER_ID), spawn(None), spawn(f"{TURN_ID}0")]
    marked = spawn(TURN_ID)
    assert sweep(TURN_ID) == 1
    assert marked.poll() is not None
    assert [process.poll() for process in others] == [None] * 3


def test_a_clean_turn_costs_no_closer_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert sweep(TURN_ID) == 0


def test_without_a_proc_file_system_the_closer_look_finds_them_too(
    spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_module, "_needs_search", lambda *_, **__: True)
    assert sweep(OTHER_ID) == 0
    spawn(TURN_ID)
    assert sweep(TURN_ID) == 1


def test_the_dead_are_not_counted(spawn: Spawn) -> None:
    marked = spawn(TURN_ID)
    marked.kill()
    wait_until(lambda: psutil.Process(marked.pid).status() == psutil.STATUS_ZOMBIE, what="a zombie")
    assert sweep(TURN_ID) == 0


def test_a_process_that_sweeps_its_own_turn_survives(spawn: Spawn) -> None:
    sweeper = subprocess.Popen(
        [sys.executable, "-c", f"from codex_server_cli.worker.cleanup.sweep import sweep; print(sweep({TURN_ID!r}))"],
        env={**os.environ, "CODEX_SERVER_TURN_ID": TURN_ID},
        stdout=subprocess.PIPE,
    )
    assert sweeper.communicate(timeout=DEADLINE_S)[0] == b"0\n"
    assert sweeper.returncode == 0


def test_a_process_that_forks_while_it_is_ended_is_ended_whole(spawn: Spawn) -> None:
    # At SIGTERM it leaves a successor, which only a second scan can find.
    successor = f"[{sys.executable!r}, '-c', {PAUSE!r}]"
    code = (
        "import os, signal, subprocess\n"
        "def heir(*_):\n"
        f"    child = subprocess.Popen({successor}, stdout=subprocess.PIPE)\n"
        "    child.stdout.readline()\n"
        "    os._exit(0)\n"
        f"signal.signal(signal.SIGTERM, heir)\n{PAUSE}"
    )
    spawn(TURN_ID, code)
    sweep(TURN_ID)
    assert not [process for process in psutil.process_iter() if _mark_of(process) == TURN_ID]


def _mark_of(process: psutil.Process) -> str | None:
    try:
        is_zombie = process.status() == psutil.STATUS_ZOMBIE
        return None if is_zombie else process.environ().get("CODEX_SERVER_TURN_ID")
    except (psutil.Error, OSError):
        return None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has child subreapers")
def test_a_worker_finds_an_orphan_that_emptied_its_environment_and_spares_another_turns_child() -> None:
    worker = subprocess.run(
        [sys.executable, "-c", WORKER, TURN_ID, OTHER_ID], stdout=subprocess.PIPE, timeout=DEADLINE_S, check=True
    )
    count, orphan, other = map(int, worker.stdout.split())
    try:
        assert count == 1
        assert not psutil.pid_exists(orphan)
        assert psutil.pid_exists(other)
    finally:
        os.kill(other, signal.SIGKILL)


def test_a_worker_spares_an_unmarked_process_below_another_turns() -> None:
    worker = subprocess.run(
        [sys.executable, "-c", NESTED_WORKER, TURN_ID, OTHER_ID], stdout=subprocess.PIPE, timeout=DEADLINE_S, check=True
    )
    count, other, below = map(int, worker.stdout.split())
    try:
        assert (count, psutil.pid_exists(other), psutil.pid_exists(below)) == (0, True, True)
    finally:
        for pid in (below, other):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_a_process_is_identified_by_its_start_and_the_boot(spawn: Spawn) -> None:
    own = process_identity(os.getpid())
    assert own == process_identity(os.getpid())
    ticks, boot_id = own
    assert ticks is not None
    assert boot_id is not None
    other = spawn(None)
    later, same_boot = process_identity(other.pid)
    assert later is not None
    assert later >= ticks
    assert same_boot == boot_id


def test_a_process_that_is_gone_has_no_identity() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert process_identity(gone.pid) == (None, None)


# --- what the app-server of a dead worker left, without a mark


@pytest.fixture
def orphan() -> Iterator[Callable[..., tuple[int, int]]]:
    """Start a process whose session's leader is dead; its pid, and the leader's. All are dead after the test."""
    pids: list[int] = []

    def start(*arguments: str) -> tuple[int, int]:
        command = [sys.executable, "-c", LEADER, *arguments]
        leader = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
        assert leader.stdout is not None
        with leader:
            pids.append(int(leader.stdout.readline()))
        return pids[-1], leader.pid

    yield start
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def record_of(app_server: int) -> dict[str, object]:
    """What the worker that started this app-server recorded, had it started when this test did."""
    ticks, boot_id = process_identity(os.getpid())
    return {"app_server_pid": app_server, "pid_start_ticks": ticks, "boot_id": boot_id}


@pytest.mark.skipif(sys.platform != "linux", reason="Codex has no such helpers elsewhere")
def test_a_file_helper_of_a_dead_app_server_is_ended(orphan: Callable[..., tuple[int, int]]) -> None:
    pid, leader = orphan(HELPER)
    assert sweep(TURN_ID) == 0
    assert sweep(TURN_ID, record_of(leader)) == 1
    wait_until(lambda: process_identity(pid) == (None, None), what="the end of the helper")


@pytest.mark.parametrize(
    "other",
    [{"app_server_pid": 1}, {"app_server_pid": None}, {"boot_id": "another"}, {"pid_start_ticks": 1 << 60}],
    ids=str,
)
def test_a_file_helper_that_may_be_anothers_is_left_alone(
    orphan: Callable[..., tuple[int, int]], other: dict[str, object]
) -> None:
    pid, leader = orphan(HELPER)
    assert sweep(TURN_ID, record_of(leader) | other) == 0
    assert psutil.pid_exists(pid)


def test_what_is_no_file_helper_is_left_alone_in_that_session_too(orphan: Callable[..., tuple[int, int]]) -> None:
    pid, leader = orphan("--other")
    assert sweep(TURN_ID, record_of(leader)) == 0
    assert psutil.pid_exists(pid)
