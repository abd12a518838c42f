"""The worker is signalled or killed at every phase of a turn: what was received is kept, and no process stays.

SIGHUP is ignored by design: it comes when a terminal closes. SIGTERM and SIGINT end the turn in order; after SIGKILL
the next reader does. In every case but SIGHUP the turn is `abandoned`, unless Codex had completed it.
"""

from __future__ import annotations

import os
import shutil
import signal
from unittest.mock import ANY

import pytest

from codex_server_cli.demo.replies import reply, say
from tests.fakes import faulty
from tests.kit.cases import in_full
from tests.kit.escalations import ASK, escalated, pending, wait_for_request
from tests.kit.faults import (
    FIRST_HALF,
    MANY,
    SIGNALS,
    WHOLE,
    assert_ended,
    change_workers,
    methods,
    pin_fake_codex,
    signal_worker,
)
from tests.kit.home import Home, Turn, sleepers, start_sleeping
from tests.kit.support import DEADLINE_S, Json, wait_until

CASES = [each if each in (signal.SIGKILL, signal.SIGTERM) else in_full(each) for each in SIGNALS]
ALL = pytest.mark.parametrize("signum", CASES, ids=[signum.name for signum in SIGNALS])
DEADLY = pytest.mark.parametrize("signum", CASES[:3], ids=[signum.name for signum in SIGNALS[:3]])


def assert_abandoned(
    home: Home, turn: Turn, signum: signal.Signals, answer: str | None = None, *, tokens: int | None = None
) -> Json:
    """Assert that the turn is abandoned: by its worker, where that could handle the signal, else by its next reader."""
    ended = assert_ended(home, turn, "abandoned", "worker_died", answer, tokens=tokens)
    has_logged_signal = f"told to stop by signal {int(signum)}" in (turn.path / "worker.log").read_text()
    assert has_logged_signal is (signum is not signal.SIGKILL)
    return ended


@ALL
def test_a_worker_that_dies_before_it_is_ready_gives_one_clear_error_and_leaves_nothing(
    one_home: Home, signum: signal.Signals
) -> None:
    pin_fake_codex(one_home, "silent")
    launcher = one_home.spawn(
        "new", "-"
    )  # its worker is up, and waits for the turn as the launcher does for the prompt
    (worker,) = wait_until(lambda: one_home.processes("worker.main"), what="the worker")
    wait_until(lambda: worker.cwd() == "/", what="a worker that has got ready")
    worker.send_signal(signum)
    stdout, stderr = launcher.communicate("hi", timeout=DEADLINE_S)
    assert launcher.returncode == 1
    assert stdout.count("\n") == 1
    assert '"kind":"internal"' in stdout
    assert f"the worker could not start: signal {int(signum)} ended it" in stderr
    assert "Traceback" not in stderr
    assert one_home.turn_ids == []
    assert one_home.processes() == []


HELD_IMPORT = """
import sys

class Held:
    def find_spec(self, name, path=None, target=None):
        if name == "codex_server_cli.worker.run":
            open({gate!r}).close()  # a FIFO: until it is opened for writing

sys.meta_path.insert(0, Held())
"""


@pytest.mark.parametrize("signum", [signal.SIGTERM, in_full(signal.SIGINT)], ids=["SIGTERM", "SIGINT"])
def test_a_worker_that_is_stopped_before_it_has_loaded_what_runs_a_turn_ends_it_in_order(
    one_home: Home, signum: signal.Signals
) -> None:
    gate, notified = one_home.root / "gate", one_home.root / "notified"
    pin_fake_codex(one_home, "silent")
    os.mkfifo(gate)
    change_workers(one_home, HELD_IMPORT.format(gate=str(gate)))
    turn = one_home.start("new", "hi", "--notify", f"touch {notified}")
    turn.worker().send_signal(signum)
    wait_until(lambda: f"stop by signal {int(signum)}" in (turn.path / "worker.log").read_text(), what="the signal")
    gate.open("w").close()
    ended = assert_abandoned(one_home, turn, signum)
    assert ended["error"]["message"] == "The system stopped the worker before the turn ended."
    wait_until(notified.exists, what="the notify command")


@DEADLY
def test_a_worker_that_is_killed_while_it_starts_codex_is_abandoned(one_home: Home, signum: signal.Signals) -> None:
    pin_fake_codex(one_home, "silent")
    # Codex's first action: the earliest moment that can be hit for certain.
    one_home.wrap_codex(f'kill -s {int(signum)} "$PPID"\nexec {one_home.root}/fake/codex "$@"')
    turn = one_home.start("new", "hi")
    assert_abandoned(one_home, turn, signum)
    assert turn.meta["thread_id"] is None


@DEADLY
def test_a_worker_that_is_killed_while_codex_initializes_is_abandoned(one_home: Home, signum: signal.Signals) -> None:
    pin_fake_codex(one_home, "no initialize")
    turn = one_home.start("new", "hi")
    assert turn.app_server().is_running()
    assert turn.status()["phase"] == "starting"
    signal_worker(turn, signum)
    ended = assert_abandoned(one_home, turn, signum)
    assert "codex-server new" in ended["error"]["hint"]  # there is no thread to continue


@DEADLY
def test_a_worker_that_is_killed_in_the_middle_of_an_answer_keeps_the_part_that_had_come(
    one_home: Home, signum: signal.Signals
) -> None:
    turn, _ = one_home.start_held()
    signal_worker(turn, signum)
    ended = assert_abandoned(one_home, turn, signum, FIRST_HALF)
    assert f"codex-server continue --turn {turn.id}" in ended["error"]["hint"]


@DEADLY
def test_a_worker_that_is_killed_while_a_command_runs_ends_the_command(one_home: Home, signum: signal.Signals) -> None:
    options = ("--sandbox", "danger-full-access", "--skip-git-check")
    turn, sleep = start_sleeping(one_home, "(setsid {nap} &); {nap}", *options)
    signal_worker(turn, signum)
    assert_abandoned(one_home, turn, signum, FIRST_HALF, tokens=ANY)  # Codex reports them where it is interrupted
    assert sleepers(sleep) == []


@DEADLY
def test_a_worker_that_is_killed_while_an_approval_is_pending_runs_nothing_and_leaves_nothing_pending(
    one_home: Home, signum: signal.Signals
) -> None:
    one_home.model([reply(say(FIRST_HALF), escalated(one_home)), say("Never.")])
    turn = one_home.start("new", "hi", *ASK)
    wait_for_request(one_home, turn)
    signal_worker(turn, signum)
    assert_abandoned(one_home, turn, signum, FIRST_HALF, tokens=ANY)  # sent at about the same moment
    assert not (one_home.root / "mark").exists()
    assert pending(one_home) == pending(one_home, turn) == turn.status()["pending"] == []
    assert one_home.run("approve", turn.id, "0").error["exit_code"] == 66


def test_a_hangup_ends_no_turn(one_home: Home) -> None:
    turn, gate = one_home.start_held()
    signal_worker(turn, signal.SIGHUP)
    assert turn.status()["state"] == "running"
    gate.open()
    assert_ended(one_home, turn, "complete", None, WHOLE, tokens=faulty.TOKENS)


def test_a_hangup_while_a_turn_starts_ends_no_turn(one_home: Home) -> None:
    pin_fake_codex(one_home, "ends twice")
    one_home.wrap_codex(f'kill -s HUP "$PPID"\nexec {one_home.root}/fake/codex "$@"')
    turn = one_home.start("new", "hi")
    assert_ended(one_home, turn, "complete", None, WHOLE, tokens=faulty.TOKENS)


@ALL
@pytest.mark.full
def test_a_worker_that_is_killed_while_it_ends_codex_has_completed_its_turn(
    one_home: Home, signum: signal.Signals
) -> None:
    pin_fake_codex(one_home, "stubborn at the end")
    turn = one_home.start("new", "hi")
    wait_until(lambda: "turn/completed" in methods(turn), what="the end")
    signal_worker(turn, signum)
    assert_ended(one_home, turn, "complete", None, WHOLE, tokens=faulty.TOKENS)


KILLED = "os.kill(os.getpid(), signal.SIGKILL)"
KILLED_IN_THE_MIDDLE = f"""
import os, signal
from codex_server_cli.disk.turn import compaction

def _in_the_middle(*given, _kept=compaction._kept):
    yield next(_kept(*given))[:1000]
    {KILLED}

compaction._kept = _in_the_middle
"""
KILLED_AFTER_IT = f"""
import os, signal
from codex_server_cli.disk.turn import writer
writer.publish = lambda *_: {KILLED}
"""


@pytest.mark.parametrize(
    ("code", "is_compacted"),
    [(KILLED_IN_THE_MIDDLE, False), (KILLED_AFTER_IT, True)],
    ids=["in the middle", "after the rename"],
)
def test_a_worker_that_is_killed_while_it_shortens_the_events_has_completed_its_turn(
    one_home: Home, code: str, is_compacted: bool
) -> None:
    change_workers(one_home, code)
    one_home.model([say(*["word "] * MANY)])
    turn = one_home.start("new", "hi")
    turn.wait_for_exit_of_worker()
    assert not turn.is_ended
    assert_ended(one_home, turn, "complete", None, "word " * MANY, tokens=faulty.TOKENS, is_compacted=is_compacted)


def test_two_readers_at_once_publish_the_result_that_a_worker_could_not(one_home: Home) -> None:
    turn, gate = one_home.start_held()
    in_the_way = turn.path / "answer.txt" / "in the way"  # comes after result.json, before the marker
    in_the_way.mkdir(parents=True)
    gate.open()
    wait_until(lambda: (turn.path / "result.json").exists() and not one_home.processes(), what="the worker's death")
    result = (turn.path / "result.json").read_bytes()
    assert not turn.is_ended
    shutil.rmtree(in_the_way.parent)
    readers = [one_home.spawn("wait", turn.id, "--print", "answer") for _ in range(2)]
    for reader in readers:
        assert reader.communicate(timeout=DEADLINE_S) == (f"{WHOLE}\n", "")
        assert reader.returncode == 0
    assert_ended(one_home, turn, "complete", None, WHOLE, tokens=faulty.TOKENS)
    assert (turn.path / "result.json").read_bytes() == result
