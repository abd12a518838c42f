"""What a `kill -9` of the worker or of codex leaves: no answer is lost, no process is left, no state is wrong."""

from __future__ import annotations

import shutil

import pytest

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import hold, reply, run_command, say
from tests.kit.cases import in_full
from tests.kit.faults import change_workers
from tests.kit.home import FIRST_HALF, SECOND_HALF, Home, nap, sleepers, start_sleeping
from tests.kit.in_process import call
from tests.kit.support import DEADLINE_S, wait_until

WHOLE = f"{FIRST_HALF}{SECOND_HALF}"
FULL_ACCESS = ("--sandbox", "danger-full-access", "--skip-git-check")


def test_a_killed_worker_is_abandoned_at_once_with_its_partial_answer(home: Home) -> None:
    turn, _ = home.start_held()
    turn.kill_worker()
    status = turn.status()
    assert home.left_running() == []
    assert (status["state"], status["error"]["kind"]) == ("abandoned", "worker_died")
    assert status["error"]["retryable"]
    assert f"codex-server continue --turn {turn.id}" in status["error"]["hint"]
    assert turn.result["answer"] == FIRST_HALF
    run = home.call("answer", turn.id)
    assert (run.code, run.stdout) == (3, f"{FIRST_HALF}\n")
    assert turn.out.count(FIRST_HALF) == 1


@pytest.mark.parametrize("has_lock", [in_full(True), False], ids=["whole", "without-lock"])
def test_a_copy_of_the_home_can_be_read_while_the_turn_runs(one_home: Home, has_lock: bool) -> None:
    turn, gate = one_home.start_held()
    copy = one_home.root / "backup"
    shutil.copytree(one_home.path, copy, ignore=shutil.ignore_patterns("wake"))
    if not has_lock:
        (copy / "turns" / turn.id / "lock").unlink()
    read = call("status", turn.id, env=one_home.env | {"CODEX_SERVER_HOME": str(copy)}, cwd=one_home.project)
    assert read.json["state"] == "abandoned", read
    gate.open()
    assert turn.wait()["answer"] == WHOLE


def test_a_follower_sees_the_death_of_the_worker(one_home: Home) -> None:
    turn, _ = one_home.start_held()
    tail = one_home.spawn("tail", turn.id, "--follow")
    wait = one_home.spawn("wait", turn.id)
    turn.kill_worker()
    for follower in (tail, wait):
        _, errors = follower.communicate(timeout=DEADLINE_S)
        assert follower.returncode == 3
        assert "worker_died" in errors


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("{nap}", ()),
        in_full("{nap}", FULL_ACCESS),
        ("setsid {nap}; true", FULL_ACCESS),
        in_full("(setsid {nap} &); {nap}", FULL_ACCESS),
    ],
    ids=["sandboxed", "unsandboxed", "own-session", "background"],
)
def test_a_killed_worker_leaves_no_command_running(home: Home, command: str, options: tuple[str, ...]) -> None:
    turn, sleep = start_sleeping(home, command, *options)
    turn.kill_worker()
    assert turn.status()["state"] == "abandoned"
    assert sleepers(sleep) == []
    assert home.left_running() == []


def test_what_a_finished_turn_left_in_the_background_ends_with_it(home: Home) -> None:
    sleep = nap(home)
    # The second one has no mark of ours: it can be found only as the worker's adopted child.
    home.model([run_command(f"(setsid {sleep} &); (env -i setsid {sleep} &); sleep 0.1"), say("done")])
    turn = home.start("new", "hi", *FULL_ACCESS)
    assert turn.wait()["state"] == "complete"
    assert sleepers(sleep) == []


@pytest.mark.full
def test_background_processes_that_end_are_reaped_while_the_turn_runs(home: Home) -> None:
    gate = Gate()
    home.model([run_command("for i in 1 2 3 4 5; do (true &); done"), reply(hold(gate), say("done"))])
    turn = home.start("new", "hi", *FULL_ACCESS)
    gate.wait_until_reached()
    worker = turn.worker()
    wait_until(lambda: worker.children() == [turn.app_server()], what="the end of the zombies")
    gate.open()
    assert turn.wait()["state"] == "complete"


def test_a_worker_killed_after_the_turn_had_ended_loses_nothing(home: Home) -> None:
    # A codex that survives the end of its stdin and SIGTERM, so that the worker still waits for it when killed.
    home.wrap_codex(f"trap '' TERM\n(cat; exec sleep 300) | {home.codex} \"$@\"")
    change_workers(home, "from codex_server_cli.codex.transport import base\nbase.GRACE_S = 60.0")
    home.model([say(WHOLE)])
    turn = home.start("new", "hi")
    wait_until(lambda: any(event.get("method") == "turn/completed" for event in turn.events))
    turn.kill_worker()
    assert not turn.is_ended
    status = turn.status()
    assert (status["state"], status["error"]) == ("complete", None)
    assert home.call("answer", turn.id).stdout == f"{WHOLE}\n"
    assert status["usage"]["total_tokens"] == 120
    assert home.left_running() == []


def test_a_turn_whose_end_was_not_published_is_completed_by_its_next_reader(home: Home) -> None:
    home.model([say(WHOLE)])
    turn = home.start("new", "hi")
    ended = turn.wait()
    copy = turn.path.with_name(f"{turn.id[:-4]}{int(turn.id[-4:], 16) ^ 1:04x}")
    hidden = copy.with_name(f".{copy.name}")  # the worker cleans up when its turn is over, and repairs what it finds
    shutil.copytree(turn.path, hidden, ignore=shutil.ignore_patterns("result.json", "answer.txt", "done", "wake"))
    (hidden / "out.txt").write_text("")
    hidden.rename(copy)
    run = home.run("wait", copy.name, "--print", "json", "--full")
    assert (run.code, run.json["state"], run.json["answer"]) == (0, "complete", WHOLE)
    assert run.json["usage"] == ended["usage"]
    assert (copy / "out.txt").read_bytes() == (turn.path / "out.txt").read_bytes()
    assert (copy / "answer.txt").read_bytes() == (turn.path / "answer.txt").read_bytes()
    assert (copy / "done").exists()


def test_a_killed_codex_fails_the_turn_with_its_stderr_tail(home: Home) -> None:
    home.wrap_codex(f'echo "the last words" >&2\nexec {home.codex} "$@"')
    turn, _ = home.start_held()
    turn.app_server().kill()
    run = home.run("wait", turn.id, "--print", "json")
    assert (run.code, run.json["state"]) == (1, "failed")
    error = run.json["error"]
    assert (error["kind"], error["retryable"]) == ("codex_crashed", True)
    assert "signal 9" in error["message"]
    assert "the last words" in error["stderr_tail"]
    assert run.json["answer"] == FIRST_HALF
    assert home.left_running() == []


@pytest.mark.full
def test_after_a_crash_the_thread_goes_on_or_forks(home: Home) -> None:
    turn, _ = home.start_held("new", "one")
    turn.app_server().kill()
    assert turn.wait()["error"]["kind"] == "codex_crashed"
    home.model([say("more")])
    for options in ([], ["--fork"]):
        run = home.run("continue", "--turn", turn.id, "two", "--wait", *options)
        assert (run.code, run.json["answer"]) == (0, "more")


def test_a_codex_that_cannot_start_fails_the_turn_with_its_reason(one_home: Home) -> None:
    one_home.wrap_codex("echo 'the loader said no' >&2\nexit 127")
    one_home.model([say("never")])
    run = one_home.run("new", "hi", "--wait")
    assert (run.code, run.json["error"]["kind"]) == (1, "codex_crashed")
    assert "the loader said no" in run.json["error"]["message"]


@pytest.mark.measured
def test_a_worker_told_to_stop_by_the_system_ends_its_turn_in_order(home: Home) -> None:
    turn, _ = home.start_held()
    turn.worker().terminate()
    ended = turn.wait()
    assert ended["state"] == "abandoned"
    assert ended["answer"] == FIRST_HALF
    assert "told to stop by signal 15" in (turn.path / "worker.log").read_text()
    assert home.left_running() == []


def test_a_pinned_codex_that_vanished_is_found_again(home: Home) -> None:
    home.configure(codex=str(home.root / "gone"))
    found = home.root / "bin" / "codex"
    found.parent.mkdir()
    found.symlink_to(home.codex)
    home.env["PATH"] = f"{found.parent}:{home.env['PATH']}"
    home.model([say("done")])
    turn = home.start("new", "hi")
    assert turn.wait()["state"] == "complete"
    assert turn.meta["codex"] == str(home.codex)
