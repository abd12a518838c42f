"""Several turns at once: `wait` for all or any of them, in one command."""

from __future__ import annotations

import contextlib
import json
import signal
from functools import partial
from pathlib import Path

from tests.kit.command_run import Run
from tests.kit.home import FIRST_HALF, SECOND_HALF, Home
from tests.kit.played_turn import PlayedTurn, hold, let_go
from tests.kit.support import DEADLINE_S, Json, wait_until

UNKNOWN = "20261120-165501-482-7f3a"


def array(run: Run) -> list[Json]:
    assert run.stdout.count("\n") == 1
    found: list[Json] = json.loads(run.stdout)
    return found


def start_three(home: Home) -> tuple[PlayedTurn, PlayedTurn, PlayedTurn]:
    """A turn that is complete, one that runs, and one that has failed."""
    fine, held, fails = (hold(home) for _ in range(3))
    fine.end("Done.")
    fails.fail()
    return fine, held, fails


def test_waiting_for_several_prints_one_array_and_ends_with_the_first_that_is_not_complete(one_home: Home) -> None:
    fine, held, fails = start_three(one_home)
    waiting = one_home.spawn("wait", held.id, fails.id, fine.id, held.id)
    let_go(held)
    stdout, stderr = waiting.communicate(timeout=DEADLINE_S)
    found = json.loads(stdout)
    assert [(turn["turn_id"], turn["state"]) for turn in found] == [
        (held.id, "complete"),
        (fails.id, "failed"),
        (fine.id, "complete"),
    ]
    assert [found[0]["answer"], found[2]["answer"]] == [FIRST_HALF + SECOND_HALF, f"{FIRST_HALF}Done."]
    assert found[1]["error"]["kind"] == "usage_limit"
    assert (waiting.returncode, fails.id in stderr, fine.id in stderr) == (1, True, False)
    assert one_home.run("wait", held.id, fine.id, "--all").code == 0
    quiet = one_home.run("wait", held.id, fine.id, "--print", "none")
    assert (quiet.code, quiet.stdout, quiet.stderr) == (0, "", "")
    assert [turn["state"] for turn in array(one_home.run("wait", held.id, held.id))] == ["complete"]


def test_waiting_for_any_ends_with_the_first_that_ends(one_home: Home) -> None:
    fine, held, fails = start_three(one_home)
    at_once = one_home.run("wait", "--any", held.id, fails.id, fine.id)
    assert [turn["state"] for turn in array(at_once)] == ["running", "failed", "complete"]
    assert at_once.code == 1
    assert one_home.run("wait", "--any", held.id, fine.id, fails.id).code == 0
    other = hold(one_home)
    waiting = one_home.spawn("wait", "--any", other.id, held.id)
    let_go(held)
    stdout, stderr = waiting.communicate(timeout=DEADLINE_S)
    assert [turn["state"] for turn in json.loads(stdout)] == ["running", "complete"]
    assert (waiting.returncode, stderr) == (0, "")


def test_a_wait_for_several_that_runs_out_of_time_says_how_many_run_and_how_to_go_on(one_home: Home) -> None:
    fine, held, _ = start_three(one_home)
    run = one_home.run("wait", fine.id, held.id, "--timeout", "1")
    assert run.code == 124
    assert [turn["state"] for turn in array(run)] == ["complete", "running"]
    assert run.stderr.count("\n") == 1
    assert "1 of 2 turns" in run.stderr
    again = run.stderr.strip().rpartition("codex-server ")[2].split()
    assert again == ["wait", fine.id, held.id, "--timeout", "1"]
    let_go(held)
    assert one_home.run(*again[:-2]).code == 0
    quiet = one_home.run("wait", fine.id, held.id, "--any", "--timeout", "1", "--print", "none")
    assert (quiet.code, quiet.stdout) == (0, "")


def test_ctrl_c_on_a_wait_for_several_leaves_them_running(one_home: Home) -> None:
    first, second = hold(one_home), hold(one_home)
    for option, is_asleep in (("--any", _is_watching), ("--all", _is_asleep_in_a_flock)):
        waiting = one_home.spawn("wait", option, first.id, second.id)
        wait_until(partial(is_asleep, waiting.pid), what="a wait that sleeps")
        waiting.send_signal(signal.SIGINT)
        _, stderr = waiting.communicate(timeout=DEADLINE_S)
        assert waiting.returncode == 130
        assert f"codex-server wait {first.id} {second.id}" in stderr
    assert first.status()["state"] == "running"
    let_go(first)
    assert first.wait()["state"] == "complete"


def _is_watching(pid: int) -> bool:
    with contextlib.suppress(OSError):  # some of its files are closed meanwhile
        return any("inotify wd:" in info.read_text() for info in Path(f"/proc/{pid}/fdinfo").iterdir())
    return False


def _is_asleep_in_a_flock(pid: int) -> bool:
    with open("/proc/locks", encoding="ascii") as file:  # noqa: PTH123
        return any("->" in line and f" {pid} " in line for line in file)


def test_what_makes_no_sense_is_refused_and_named(one_home: Home) -> None:
    for arguments, word in (
        (["wait", UNKNOWN, UNKNOWN, "--print", "out"], "one turn"),
        (["wait", UNKNOWN, UNKNOWN, "--print", "answer"], "one turn"),
        (["wait", UNKNOWN, "--any", "--all"], "exclude"),
        (["wait"], "TURN"),
        (["tail"], "TURN"),
        (["tail", "--all", UNKNOWN], "TURN"),
        (["tail", "--all", "-n", "3"], "-n"),
        (["tail", "--all", "--events", "--json"], "--events"),
        (["tail", "--all", "--no-deltas"], "--no-deltas"),
    ):
        run = one_home.run(*arguments)
        assert (run.code, run.stdout, word in run.stderr) == (64, "", True), run


def test_one_turn_is_waited_for_as_ever_whatever_the_option(one_home: Home) -> None:
    turn = PlayedTurn(one_home)
    turn.end("Done.")
    for option in ("--any", "--all"):
        run = one_home.run("wait", turn.id, option, "--print", "answer")
        assert (run.code, run.stdout) == (0, "Done.\n")
