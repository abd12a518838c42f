"""Several turns at once: `wait` for all or any of them, in one command."""

from __future__ import annotations

import contextlib
import json
import signal
from functools import partial
from pathlib import Path

import pytest

from tests.kit.home import FIRST_HALF, SECOND_HALF, Home
from tests.kit.played_turn import PlayedTurn, finish, hold
from tests.kit.support import DEADLINE_S, wait_until

UNKNOWN = "20261120-165501-482-7f3a"


def start_three(home: Home) -> tuple[PlayedTurn, PlayedTurn, PlayedTurn]:
    """A turn that is complete, one that runs, and one that has failed."""
    fine, held, fails = (hold(home) for _ in range(3))
    fine.end("Done.")
    fails.fail()
    return fine, held, fails


def test_waiting_for_several_prints_each_as_it_ends_and_ends_with_the_first_that_is_not_complete(
    one_home: Home,
) -> None:
    fine, held, fails = start_three(one_home)
    waiting = one_home.spawn("wait", held.id, fails.id, fine.id, held.id)
    assert waiting.stdout is not None
    first, second = (json.loads(waiting.stdout.readline()) for _ in range(2))  # while the other still runs
    assert (first["turn_id"], first["state"], first["error"]["kind"]) == (fails.id, "failed", "usage_limit")
    assert second == {"turn_id": fine.id, "state": "complete", "answer": f"{FIRST_HALF}Done."}
    finish(held)
    stdout, stderr = waiting.communicate(timeout=DEADLINE_S)
    assert json.loads(stdout) == {"turn_id": held.id, "state": "complete", "answer": FIRST_HALF + SECOND_HALF}
    assert (waiting.returncode, fails.id in stderr, fine.id in stderr, stderr.count("\n")) == (1, True, False, 1)
    assert one_home.run("wait", held.id, fine.id, "--all").code == 0
    quiet = one_home.run("wait", held.id, fine.id, "--print", "none")
    assert (quiet.code, quiet.stdout, quiet.stderr) == (0, "", "")
    assert [turn["state"] for turn in one_home.run("wait", held.id, held.id).json_lines] == ["complete"]
    full = one_home.run("wait", held.id, fine.id, "--full").json_lines
    assert [(turn["answer"], turn["finished_at"] is not None) for turn in full] == [
        (FIRST_HALF + SECOND_HALF, True),
        (f"{FIRST_HALF}Done.", True),
    ]


def test_waiting_for_any_ends_with_the_first_that_ends(one_home: Home) -> None:
    fine, held, fails = start_three(one_home)
    at_once = one_home.run("wait", "--any", held.id, fails.id, fine.id)
    assert [turn["state"] for turn in at_once.json_lines] == ["failed", "complete"]
    assert at_once.code == 1
    assert one_home.run("wait", "--any", held.id, fine.id, fails.id).code == 0
    other = hold(one_home)
    waiting = one_home.spawn("wait", "--any", other.id, held.id)
    finish(held)
    stdout, stderr = waiting.communicate(timeout=DEADLINE_S)
    assert [(turn["turn_id"], turn["state"]) for turn in map(json.loads, stdout.splitlines())] == [
        (held.id, "complete")
    ]
    assert (waiting.returncode, stderr) == (0, "")


def test_a_wait_for_several_that_runs_out_of_time_says_how_many_run_and_how_to_go_on(one_home: Home) -> None:
    fine, held, _ = start_three(one_home)
    run = one_home.run("wait", fine.id, held.id, "--timeout", "1")
    assert run.code == 124
    assert [turn["state"] for turn in run.json_lines] == ["complete"]
    assert run.stderr.count("\n") == 1
    assert "1 of 2 turns" in run.stderr
    again = run.stderr.strip().rpartition("codex-server ")[2].split()
    assert again == ["wait", fine.id, held.id, "--timeout", "1"]  # its code is that of both
    finish(held)
    assert one_home.run(*again[:-2]).code == 0
    quiet = one_home.run("wait", fine.id, held.id, "--any", "--timeout", "1", "--print", "none")
    assert (quiet.code, quiet.stdout) == (0, "")


def test_ctrl_c_on_a_wait_for_several_leaves_them_running(one_home: Home) -> None:
    first, second = hold(one_home), hold(one_home)
    for option in ("--any", "--all"):
        waiting = one_home.spawn("wait", option, first.id, second.id)
        wait_until(partial(_is_watching, waiting.pid), what="a wait that sleeps")
        waiting.send_signal(signal.SIGINT)
        _, stderr = waiting.communicate(timeout=DEADLINE_S)
        assert waiting.returncode == 130
        assert f"codex-server wait {first.id} {second.id}" in stderr
    assert first.status()["state"] == "running"
    finish(first)
    assert first.wait()["state"] == "complete"


def _is_watching(pid: int) -> bool:
    with contextlib.suppress(OSError):  # some of its files are closed meanwhile
        return any("inotify wd:" in info.read_text() for info in Path(f"/proc/{pid}/fdinfo").iterdir())
    return False


@pytest.mark.measured
@pytest.mark.full
def test_what_makes_no_sense_is_refused_and_named(one_home: Home) -> None:
    for arguments, word in (
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
