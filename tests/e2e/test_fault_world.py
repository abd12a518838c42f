"""The environment of a turn changes: the clock, the process ids, the machine's boot, the version of this program."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes import faulty
from tests.kit.faults import FIRST_HALF, WHOLE, assert_ended, change_python, pin_fake_codex, start_silent
from tests.kit.home import Home, Turn
from tests.kit.support import DEADLINE_S, Json, wait_until
from tests.kit.turns_on_disk import ANSWER, CUT_TURN, WHOLE_TURN, TurnsOnDisk

DAY_S = 86_400
STEPPING_CLOCK = """
import os, time
def stepped(real, unit):
    def now():
        try:
            with open({step!r}) as file:
                return real() + int(file.read()) * unit
        except (OSError, ValueError):
            return real()
    return now
time.time, time.time_ns = stepped(time.time, 1), stepped(time.time_ns, 1_000_000_000)
"""


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A live process that is unrelated to any turn."""
    process = subprocess.Popen(["sleep", "300"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def turns(one_home: Home) -> Iterator[TurnsOnDisk]:
    """Turns of this home whose workers are played by this process."""
    with TurnsOnDisk(one_home.path / "turns") as turns:
        yield turns


def edit_meta(path: Path, **values: object) -> None:
    meta = json.loads((path / "meta.json").read_bytes())
    (path / "meta.json").write_text(json.dumps(meta | values))


def read(path: Path) -> Json:
    document: Json = json.loads(path.read_bytes())
    return document


# --- the clock


@pytest.mark.parametrize("step_s", [DAY_S, -DAY_S], ids=["forward", "back"])
@pytest.mark.full
def test_a_clock_that_steps_neither_ends_a_turn_nor_keeps_it(one_home: Home, step_s: int) -> None:
    step = one_home.root / "step"
    change_python(one_home, STEPPING_CLOCK.format(step=str(step)))
    turn, gate = one_home.start_held("new", "hi", "--deadline", "600")
    wait_until(lambda: turn.status()["phase"] == "answering", what="phase answering")
    step.write_text(str(step_s))
    status = turn.status()
    assert (status["state"], status["phase"]) == ("running", "answering")
    assert status["elapsed_s"] >= 0
    waiting = one_home.run("wait", turn.id, "--timeout", "0.3")
    assert waiting.code == 124
    assert waiting.duration_s < DEADLINE_S
    gate.open()
    ended = assert_ended(one_home, turn, "complete", None, WHOLE, tokens=faulty.TOKENS)
    assert ended["elapsed_s"] >= 0


# --- pids


@pytest.mark.full
def test_cancel_of_a_hung_worker_whose_pid_was_reused_kills_no_other_process(
    one_home: Home, bystander: subprocess.Popen[bytes]
) -> None:
    turn = start_silent(one_home)
    worker = turn.worker()
    worker.suspend()
    edit_meta(turn.path, pid=bystander.pid)
    change_python(one_home, "from codex_server_cli.actions.control import control\ncontrol.CANCEL_TIMEOUT_S = 0.3\n")
    run = one_home.run("cancel", turn.id)
    assert run.code == 75
    assert bystander.poll() is None
    assert worker.is_running()
    worker.resume()
    assert_ended(one_home, turn, "cancelled", "cancelled", FIRST_HALF, tokens=faulty.TOKENS)


@pytest.mark.full
def test_cancel_kills_a_hung_worker_that_is_still_itself(one_home: Home) -> None:
    turn = start_silent(one_home)
    turn.worker().suspend()
    change_python(one_home, "from codex_server_cli.actions.control import control\ncontrol.CANCEL_TIMEOUT_S = 2.0\n")
    assert one_home.run("cancel", turn.id).code == 0
    assert_ended(one_home, turn, "cancelled", "cancelled", FIRST_HALF, tokens=faulty.TOKENS)


@pytest.mark.parametrize("other", ["another start", "another boot"])
def test_a_dead_turn_whose_pid_was_reused_is_abandoned_and_no_process_is_killed(
    one_home: Home, turns: TurnsOnDisk, bystander: subprocess.Popen[bytes], other: str
) -> None:
    # After a reboot, too: the lock is gone, and the pid may belong to any process.
    with open("/proc/sys/kernel/random/boot_id") as file:  # noqa: PTH123
        boot_id = file.read().strip()
    ticks = int(Path(f"/proc/{bystander.pid}/stat").read_text().rpartition(")")[2].split()[19])
    proof = (ticks - 100, boot_id) if other == "another start" else (ticks, "0c5fb4c0-0000-4000-8000-000000000000")
    dead = turns.dead(CUT_TURN, pid=bystander.pid, pid_start_ticks=proof[0], boot_id=proof[1])
    ended = one_home.turn(dead.turn_id).wait()
    assert (ended["state"], ended["error"]["kind"]) == ("abandoned", "worker_died")
    assert ended["answer"]
    assert bystander.poll() is None


# --- edits by hand


def test_a_dead_turn_whose_record_cannot_be_read_costs_no_other_turn(one_home: Home, turns: TurnsOnDisk) -> None:
    whole, dead = turns.complete(), turns.dead(CUT_TURN, request={"cwd": "/", "images": [1]})
    commands = (["status"], ["list-turns", "--json"], ["pending", "--json"], ["gc"], ["answer", whole.turn_id])
    assert [one_home.call(*command).code for command in commands] == [0] * len(commands)
    ended = one_home.turn(dead.turn_id).wait()
    assert (ended["state"], ended["error"]["kind"]) == ("failed", "internal")
    assert ended["error"]["message"] == "the record cannot be read"
    assert ended["answer"]


@pytest.mark.parametrize("name", ["meta.json", "result.json"])
@pytest.mark.parametrize("is_torn", [True, False])
def test_a_record_that_cannot_be_read_costs_no_answer_and_no_event(
    one_home: Home, turns: TurnsOnDisk, name: str, is_torn: bool
) -> None:
    turn = turns.dead(WHOLE_TURN)
    whole = one_home.turn(turn.turn_id).wait()
    path = turn.path / name
    content = path.read_bytes()
    path.write_bytes(content[:50]) if is_torn else path.unlink()
    for command in (
        ["wait", turn.turn_id],
        ["status", turn.turn_id],
        ["answer", turn.turn_id],
        ["recover", turn.turn_id],
    ):
        assert "Traceback" not in one_home.call(*command).stderr
    answer = one_home.call("answer", turn.turn_id)
    assert (answer.code, answer.stdout) == (1, f"{ANSWER}\n")
    assert "the record cannot be read" in answer.stderr
    assert one_home.call("tail", turn.turn_id).stdout.startswith(ANSWER)
    assert len(one_home.call("tail", turn.turn_id, "--events").stdout.splitlines()) == len(WHOLE_TURN.splitlines())
    ended = one_home.turn(turn.turn_id).wait()
    assert (ended["state"], ended["error"]["kind"], ended["answer"]) == ("failed", "internal", whole["answer"])


# --- versions


def test_a_running_turn_of_a_newer_version_is_shown_as_far_as_it_is_understood(
    one_home: Home, turns: TurnsOnDisk
) -> None:
    newer = turns.running(colour="blue", request={"cwd": "/", "temperature": 1, "sandbox": "padded-cell"})
    newer.live.write_text(json.dumps({"version": 2, "phase": "dreaming", "seq": "many", "pending": {"a": 1}}))
    status = one_home.turn(newer.turn_id).status()
    assert (status["state"], status["phase"]) == ("running", "starting")
    assert one_home.call("list-turns").code == 0
    turns.drop_lock(newer.turn_id)
    assert one_home.turn(newer.turn_id).status()["state"] == "abandoned"


def test_an_end_that_a_newer_version_wrote_is_understood(one_home: Home, turns: TurnsOnDisk) -> None:
    failed, complete = turns.running(), turns.complete()
    error = {"version": 2, "kind": "out_of_tea", "message": "no tea", "hint": "make some", "retryable": True, "x": 1}
    failed.result.write_text(json.dumps({"version": 2, "state": "failed", "answer": "part", "error": error}))
    failed.error.write_text(json.dumps(error))
    turns.drop_lock(failed.turn_id)
    complete.result.write_text(json.dumps({**read(complete.result), "version": 2, "scent": "roses"}))
    ended = one_home.call("wait", failed.turn_id, "--print", "json")
    assert (ended.code, ended.json["state"], ended.json["error"]["kind"]) == (1, "failed", "out_of_tea")
    assert ended.json["answer"] == "part"
    assert one_home.turn(complete.turn_id).wait()["answer"] == ANSWER
    assert one_home.call("list-turns").code == 0


def test_a_result_that_a_newer_version_could_not_publish_is_published(one_home: Home, turns: TurnsOnDisk) -> None:
    newer = turns.dead(WHOLE_TURN)
    newer.result.write_text(json.dumps({"version": 2, "state": "complete", "answer": "new", "scent": "roses"}))
    assert one_home.turn(newer.turn_id).wait()["answer"] == "new"
    assert newer.done.exists()
    assert read(newer.result)["scent"] == "roses"


def test_an_unknown_state_in_a_result_counts_as_none(one_home: Home, turns: TurnsOnDisk) -> None:
    newer = turns.dead(WHOLE_TURN)
    newer.result.write_text(json.dumps({"version": 2, "state": "enlightened", "answer": "om"}))
    assert one_home.turn(newer.turn_id).wait()["answer"] == ANSWER


def test_a_turn_of_the_first_version_is_read_and_repaired(one_home: Home, turns: TurnsOnDisk) -> None:
    # As 0.1.0 wrote it: no member for queue, threads or journal, and a directory without them.
    old: Json = {
        "name": None,
        "cwd": str(one_home.project),
        "resumed_from": None,
        "forked_from": None,
        "parent_turn": None,
    }
    complete, dead = turns.complete(**old), turns.dead(CUT_TURN, **old)
    assert sorted(path.name for path in one_home.path.iterdir()) == ["config.json", "turns"]
    assert one_home.turn(complete.turn_id).wait()["answer"] == ANSWER
    assert one_home.turn(dead.turn_id).wait()["state"] == "abandoned"
    assert one_home.call("list-turns").code == 0


def test_what_a_newer_version_has_in_the_home_is_left_alone(one_home: Home) -> None:
    for name in ("queue", "threads", "journal", "turns", "shelves"):
        (one_home.path / name / "of-version-2").mkdir(mode=0o700, parents=True)
        (one_home.path / name).chmod(0o700)
        (one_home.path / name / "index-2").write_text("{")
    one_home.configure(colour="blue")
    pin_fake_codex(one_home, "ends twice")
    turn = one_home.start("new", "hi")
    assert_ended(one_home, turn, "complete", None, WHOLE, tokens=faulty.TOKENS)
    for command in ("list-turns", "gc", "status"):
        assert one_home.call(command).code == 0
    assert len(list(one_home.path.glob("*/of-version-2"))) == len(list(one_home.path.glob("*/index-2"))) == 5


def test_a_worker_refuses_a_request_that_it_does_not_know(one_home: Home) -> None:
    turn = start_silent(one_home)
    request = turn.path / "inbox" / "1-abcd.json"
    request.with_suffix(".tmp").write_text('{"version": 2, "op": "levitate", "args": {"height_m": 2}, "from_pid": 1}')
    request.with_suffix(".tmp").rename(request)
    wake(turn)
    reply = wait_until(lambda: read_reply(request), what="a reply")
    assert reply is not None
    assert reply["ok"] is False
    assert "does not know the request 'levitate'" in reply["error"]["message"]
    assert turn.status()["state"] == "running"
    assert one_home.run("cancel", turn.id).code == 0
    assert_ended(one_home, turn, "cancelled", "cancelled", FIRST_HALF, tokens=faulty.TOKENS)


def wake(turn: Turn) -> None:
    fd = os.open(turn.path / "wake", os.O_WRONLY | os.O_NONBLOCK)
    os.write(fd, b"!")
    os.close(fd)


def read_reply(request: Path) -> Json | None:
    path = request.with_suffix(".reply")
    return read(path) if path.exists() else None
