"""`max_running`: further turns are queued, cost next to nothing there, and start in the order of their ids."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import psutil
import pytest

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.parts import ReplyLike
from codex_server_cli.demo.replies import hold, run_command, say
from codex_server_cli.demo.request import Request
from codex_server_cli.demo.scripted_model import ScriptedModel
from codex_server_cli.disk import lock
from codex_server_cli.disk.journal import journal
from codex_server_cli.disk.lock_holder import holder_pid
from tests.kit.cases import in_full
from tests.kit.faults import KILLED_AFTER_S, cancel_and_wait
from tests.kit.home import COMMAND, FIRST_HALF, SECOND_HALF, Home, Turn
from tests.kit.story import is_alive
from tests.kit.support import DEADLINE_S, delete_tree, wait_until

MAX_QUEUED_PSS_KB = 8 * 1024
WHOLE = f"{FIRST_HALF}{SECOND_HALF}"


def start_full(home: Home, *, max_running: int = 1) -> tuple[list[Turn], Gate, ScriptedModel]:
    """Fill every slot with a turn that pauses in its answer until the gate opens; so do later ones."""
    gate = Gate()
    home.configure(max_running=max_running)
    model = home.model([say(FIRST_HALF, hold(gate), SECOND_HALF)])
    running = [home.start("new", "hi") for _ in range(max_running)]
    wait_until(lambda: all(FIRST_HALF in turn.out for turn in running), what="the first halves")
    return running, gate, model


def queued(home: Home, *args: str) -> Turn:
    """Start a turn that has to be queued."""
    turn = home.start("new", "hi", *args)
    wait_until(lambda: turn.status()["phase"] == "queued", what="phase queued")
    return turn


def ever_queued(home: Home) -> set[str]:
    """The turns that have had to wait. The first ones find free slots: those start side by side."""
    return {str(entry["turn_id"]) for _, entry in journal.read(home.path) if entry.get("phase") == "queued"}


def started_at_ms(turn: Turn) -> int:
    first: int = turn.events[0]["ts"]
    return first


def pss_kb(process: psutil.Process) -> int:
    lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def is_light(worker: psutil.Process) -> bool:
    """Whether it is the light process, and has finished the interpreter's own start-up."""
    is_light = "worker.queue_wait" in " ".join(worker.cmdline()) and handles(worker, signal.SIGINT)
    return bool(is_light and worker.status() == psutil.STATUS_SLEEPING)


def test_a_turn_beyond_the_limit_is_accepted_at_once_and_waits(home: Home) -> None:
    (first,), gate, model = start_full(home)
    second = queued(home)
    status = second.status()
    assert (status["state"], status["phase"], status["thread_id"]) == ("running", "queued", None)
    assert second.events == []
    assert len(home.app_servers()) == 1
    gate.open()
    assert [turn.wait()["answer"] for turn in (first, second)] == [WHOLE, WHOLE]
    assert len(model.requests) == 2


def test_turns_start_in_the_order_of_their_ids_and_never_too_many_run(one_home: Home) -> None:
    one_home.configure(max_running=2)
    one_home.model([say("done")])
    launchers = [one_home.spawn("new", f"turn {number}") for number in range(12)]
    most = 0
    outputs = []
    for launcher in launchers:
        outputs.append(launcher.communicate(timeout=DEADLINE_S)[0])
        most = max(most, len(one_home.app_servers()))
    turns = sorted((one_home.turn(json.loads(output)["turn_id"]) for output in outputs), key=lambda turn: turn.id)
    wait_until(lambda: all(turn.is_ended for turn in turns), what="the end of all turns")
    assert {turn.wait()["state"] for turn in turns} == {"complete"}
    starts = [started_at_ms(turn) for turn in turns if turn.id in ever_queued(one_home)]
    assert starts == sorted(starts)
    assert most <= 2
    names = {path.name for path in (one_home.path / "queue").iterdir()}
    assert names | {"slot-1"} == {"order", "slot-0", "slot-1", "wake"}  # a slow machine may need one slot alone


def test_a_queued_turn_is_light_and_idle(one_home: Home) -> None:
    _, gate, _ = start_full(one_home)
    turns = [queued(one_home) for _ in range(3)]
    workers = [turn.worker() for turn in turns]
    wait_until(lambda: all(map(is_light, workers)), what="the light processes")
    before = [sum(worker.cpu_times()[:2]) for worker in workers]
    assert all(pss_kb(worker) <= MAX_QUEUED_PSS_KB for worker in workers)
    gate.wait_until_reached()
    assert [sum(worker.cpu_times()[:2]) for worker in workers] == pytest.approx(before, abs=0.02)
    gate.open()
    assert {turn.wait()["state"] for turn in turns} == {"complete"}


def test_cancelling_a_queued_turn_never_starts_codex(home: Home) -> None:
    cancel_and_wait(home)
    (first,), gate, model = start_full(home)
    second, third = queued(home), queued(home)
    run = home.run("cancel", second.id)
    assert (run.code, run.json["state"]) == (0, "cancelled")
    assert run.duration_s < KILLED_AFTER_S
    assert (second.events, second.out) == ([], "")
    gate.open()
    assert [turn.wait()["state"] for turn in (first, third)] == ["complete", "complete"]
    assert len(model.requests) == 2


@pytest.mark.parametrize(
    "signum",
    [
        signal.SIGTERM,
        *(in_full(each) for each in (signal.SIGKILL, signal.SIGINT, signal.SIGHUP)),
    ],
)
def test_a_queued_turn_whose_worker_is_ended_is_passed_over(one_home: Home, signum: signal.Signals) -> None:
    (first,), gate, _ = start_full(one_home)
    second, third = queued(one_home), queued(one_home)
    worker = second.worker()
    wait_until(lambda: "worker.queue_wait" in " ".join(worker.cmdline()), what="the light process")
    wait_until(lambda: handles(worker, signal.SIGINT), what="its handlers")
    worker.send_signal(signum)
    if signum == signal.SIGHUP:  # the end of a terminal does not affect a turn
        gate.open()
        assert second.wait()["state"] == "complete"
    else:
        assert second.wait()["state"] == "abandoned"
        assert second.events == []
        assert third.status()["phase"] == "queued"
        gate.open()
    assert [turn.wait()["state"] for turn in (first, third)] == ["complete", "complete"]


def handles(process: psutil.Process, signum: signal.Signals) -> bool:
    """Whether a process has its own handler for a signal, according to Linux."""
    lines = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines()
    caught = next(line for line in lines if line.startswith("SigCgt:")).split()[1]
    return bool(int(caught, 16) >> (signum - 1) & 1)


def test_the_death_of_a_running_worker_lets_the_next_turn_run_and_ends_what_it_left(home: Home) -> None:
    (first,), gate, _ = start_full(home)
    second = queued(home)
    orphan = first.app_server()
    first.kill_worker()
    wait_until(lambda: second.status()["phase"] != "queued", what="its turn to run")
    assert first.is_ended  # it was not read so far: the turn that takes its place repairs it
    assert not is_alive(orphan)
    assert first.status()["state"] == "abandoned"
    gate.open()
    assert second.wait()["answer"] == WHOLE


@pytest.mark.full
def test_the_deadline_of_a_turn_counts_while_it_is_queued(one_home: Home) -> None:
    (first,), gate, _ = start_full(one_home)
    second = one_home.start("new", "hi", "--deadline", "0.5")
    ended = second.wait()
    assert (ended["state"], ended["error"]["kind"]) == ("failed", "deadline")
    assert second.events == []
    gate.open()
    assert first.wait()["state"] == "complete"


@pytest.mark.full
def test_a_turn_that_is_deleted_in_the_queue_ends(one_home: Home) -> None:
    (first,), gate, _ = start_full(one_home)
    second, third = queued(one_home), queued(one_home)
    worker = second.worker()
    delete_tree(second.path)
    worker.terminate()
    wait_until(lambda: not is_alive(worker), what="the end of its worker")
    assert not second.path.exists()
    gate.open()
    assert [turn.wait()["state"] for turn in (first, third)] == ["complete", "complete"]


def test_a_second_continue_is_refused_though_the_first_is_queued(one_home: Home) -> None:
    one_home.model([say("one")])
    earlier = one_home.start("new", "hi")
    thread_id = earlier.wait()["thread_id"]
    _, gate, _ = start_full(one_home)
    waiting = one_home.start("continue", "--turn", earlier.id, "two")
    wait_until(lambda: waiting.status()["phase"] == "queued", what="phase queued")
    run = one_home.run("continue", "--turn", earlier.id, "three")
    assert run.code == 75
    assert f"thread {thread_id} is being written by turn {waiting.id}" in run.error["message"]
    gate.open()
    assert waiting.wait()["state"] == "complete"


@pytest.mark.full
def test_a_queued_worker_holds_its_lock_under_the_pid_that_its_record_names(one_home: Home) -> None:
    _, gate, _ = start_full(one_home)
    second = queued(one_home)
    assert lock.is_held(second.path / "lock")
    assert holder_pid(second.path / "lock") == second.meta["pid"]
    gate.open()
    assert second.wait()["state"] == "complete"
    assert second.meta["pid_start_ticks"] is not None


@pytest.mark.full
@pytest.mark.measured
def test_a_higher_limit_counts_for_those_that_are_queued_already(one_home: Home) -> None:
    (first,), gate, _ = start_full(one_home)
    second, third = queued(one_home), queued(one_home)
    one_home.configure(max_running=2)
    wait_until(lambda: FIRST_HALF in second.out, what="the next in line")
    assert third.status()["phase"] == "queued"
    gate.open()
    assert {turn.wait()["state"] for turn in (first, second, third)} == {"complete"}


def test_a_turn_that_waits_for_one_of_its_own_does_not_wait_for_ever(one_home: Home) -> None:
    one_home.configure(max_running=1)

    def script(request: Request) -> ReplyLike:
        if request.prompt == "outer" and not request.is_follow_up:
            return run_command(f"{COMMAND} new inner --wait", yield_time_ms=20_000)
        return say(f"{request.prompt} is done")

    one_home.model(script)
    outer = one_home.start("new", "outer", "--sandbox", "danger-full-access", "--skip-git-check")
    assert outer.wait()["answer"] == "outer is done"
    inner = one_home.turn(next(turn_id for turn_id in one_home.turn_ids if turn_id != outer.id))
    assert inner.meta["parent_turn"] == outer.id
    assert "inner is done" in outer.out
    assert inner.wait()["state"] == "complete"
    assert not list((one_home.path / "queue").glob("below-*"))


@pytest.mark.full
def test_a_queue_that_is_deleted_under_its_turns_keeps_its_limit(one_home: Home) -> None:
    (first,), gate, _ = start_full(one_home)
    turns = [queued(one_home) for _ in range(3)]
    gone = (one_home.path / "queue").rename(one_home.root / "gone")  # at once: the turns in it make files
    shutil.rmtree(gone)
    wait_until(lambda: sum(FIRST_HALF in turn.out for turn in turns) == 1, what="one that finds a slot anew")
    assert len(one_home.app_servers()) == 2
    gate.open()
    assert {turn.wait()["state"] for turn in (first, *turns)} == {"complete"}


@pytest.mark.full
def test_with_one_slot_all_turns_start_in_the_order_of_their_ids(one_home: Home) -> None:
    one_home.configure(max_running=1)
    one_home.model([say("done")])
    launchers = [one_home.spawn("new", f"turn {number}") for number in range(5)]
    ids = sorted(json.loads(launcher.communicate(timeout=DEADLINE_S)[0])["turn_id"] for launcher in launchers)
    turns = [one_home.turn(turn_id) for turn_id in ids]
    assert {turn.wait()["state"] for turn in turns} == {"complete"}
    starts = [started_at_ms(turn) for turn in turns]
    assert starts == sorted(starts)


@pytest.mark.full
def test_a_limit_of_many_is_no_limit(one_home: Home) -> None:
    turns, gate, _ = start_full(one_home, max_running=3)
    assert len(one_home.app_servers()) == 3
    assert ever_queued(one_home) == set()
    gate.open()
    assert {turn.wait()["state"] for turn in turns} == {"complete"}
