"""`--once KEY`: a start that may be killed and repeated, from one shell or from many at once, is one turn."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import context_window, hold, reply, say
from tests.kit.faults import change_python, change_workers
from tests.kit.home import FIRST_HALF, SECOND_HALF, Home
from tests.kit.support import DEADLINE_S, wait_until

ONCE = ("new", "hi", "--once", "job 1")
DIE = "import os, signal\ndie = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"


def _workers(home: Home) -> int:
    return len(home.processes("worker.main"))


def test_the_same_call_again_is_answered_with_its_turn_running_or_ended(one_home: Home) -> None:
    turn, gate = one_home.start_held(*ONCE)
    again = one_home.run(*ONCE)
    assert (again.code, again.stderr) == (0, f"already started as {turn.id} (running)\n")
    assert list(again.json) == ["version", "turn_id", "state", "existing", "turn_dir", "out_path", "next"]
    assert (again.json["turn_id"], again.json["existing"], list(again.json["next"])) == (turn.id, True, ["wait"])
    waiting = one_home.spawn(*ONCE, "--wait")
    following = one_home.spawn(*ONCE, "--follow")
    assert following.stderr is not None
    assert following.stderr.readline().startswith("already started")
    wait_until(lambda: _workers(one_home) == 1, what="the end of the workers that were not needed")
    gate.open()
    stdout, stderr = waiting.communicate(timeout=DEADLINE_S)
    assert (waiting.returncode, stderr) == (0, f"already started as {turn.id} (running)\n")
    assert json.loads(stdout) | {"elapsed_s": 0} == turn_document(one_home, turn.id)
    assert (following.communicate(timeout=DEADLINE_S)[0], following.returncode) == (turn.out, 0)
    ended = one_home.run(*ONCE, "--full")
    assert (ended.json["state"], ended.json["existing"]) == ("complete", True)
    assert next(iter(ended.json["next"])) == "answer"
    assert one_home.run(*ONCE, "--wait").json["answer"] == FIRST_HALF + SECOND_HALF
    assert one_home.turn_ids == [turn.id]


def turn_document(home: Home, turn_id: str) -> dict[str, object]:
    """What `--wait` prints of a turn that exists."""
    waited = home.call("wait", turn_id, "--print", "json").json
    return {**waited, "elapsed_s": 0, "existing": True}


def test_many_calls_at_the_same_instant_are_one_turn(one_home: Home) -> None:
    one_home.model([say("forty-two")])
    calls = [one_home.spawn(*ONCE, "--wait") for _ in range(6)]
    answers = [json.loads(call.communicate(timeout=DEADLINE_S)[0]) for call in calls]
    assert [(call.returncode, answer["answer"]) for call, answer in zip(calls, answers, strict=True)] == [
        (0, "forty-two")
    ] * 6
    assert {answer["turn_id"] for answer in answers} == set(one_home.turn_ids)
    assert len(one_home.turn_ids) == 1
    assert sorted(answer.get("existing", False) for answer in answers) == [False] + [True] * 5


@pytest.mark.parametrize(
    ("end", "code", "state"), [("", 1, "failed"), ("cancel", 4, "cancelled"), ("kill", 3, "abandoned")]
)
@pytest.mark.full
def test_a_turn_that_did_not_complete_ends_every_call_that_waits_for_it_alike(
    one_home: Home, end: str, code: int, state: str
) -> None:
    gate = Gate()
    one_home.model([reply(hold(gate), context_window())])
    first = one_home.spawn(*ONCE, "--wait")
    turn = one_home.new_turn()
    gate.wait_until_reached()
    second = one_home.spawn(*ONCE, "--wait")
    assert second.stderr is not None
    assert second.stderr.readline().startswith("already started")
    if end == "cancel":
        assert one_home.run("cancel", turn.id).code == 0
    elif end == "kill":
        turn.kill_worker()
    gate.open()
    ends = [(call.communicate(timeout=DEADLINE_S)[0], call.returncode) for call in (first, second)]
    third = one_home.run(*ONCE, "--wait")
    documents = [json.loads(stdout) for stdout, _ in ends] + [third.json]
    assert [each for _, each in ends] + [third.code] == [code] * 3
    assert [document.pop("existing", False) for document in documents] == [False, True, True]
    assert [document["state"] for document in documents] == [state] * 3
    assert documents[1]["error"] == documents[2]["error"] == documents[0]["error"]
    told = one_home.run(*ONCE)
    assert (told.code, told.json["state"]) == (0, state)
    assert "--once" not in str(told.json["next"])  # a command that is repeated by hand starts another
    assert one_home.turn_ids == [turn.id]


@pytest.mark.parametrize(
    ("moment", "is_started"),
    [("Launch.hand_over = die", False), ("Launch._read_answer = die", True)],
    ids=["before it has handed the turn over", "before it has the answer"],
)
def test_a_call_that_is_killed_and_repeated_is_one_turn(one_home: Home, moment: str, is_started: bool) -> None:
    one_home.model([say("forty-two")])
    change_python(one_home, f"{DIE}from codex_server_cli.worker.launch import Launch\n{moment}")
    assert one_home.run(*ONCE).code == -9
    if is_started:
        one_home.new_turn()
    del one_home.env["PYTHONPATH"]
    run = one_home.run(*ONCE, "--wait")
    assert (run.code, run.json["answer"], run.json.get("existing", False)) == (0, "forty-two", is_started)
    assert one_home.turn_ids == [run.json["turn_id"]]


@pytest.mark.parametrize(
    ("moment", "is_started"),
    [
        ("main.layout.create = die", False),
        ("make = main._make_directory\nmain._make_directory = lambda *given: die(make(*given))", True),
    ],
    ids=["before its turn exists", "before it has let the key go"],
)
@pytest.mark.full
def test_a_worker_that_is_killed_lets_its_key_go(one_home: Home, moment: str, is_started: bool) -> None:
    one_home.model([say("forty-two")])
    change_workers(one_home, f"{DIE}from codex_server_cli.worker import main\n{moment}")
    assert one_home.run(*ONCE).code == (0 if is_started else 1)
    del one_home.env["PYTHONPATH"]
    run = one_home.run(*ONCE, "--wait")
    assert (run.code, run.json["state"]) == ((3, "abandoned") if is_started else (0, "complete"))
    assert one_home.turn_ids == [run.json["turn_id"]]


def test_another_call_under_the_same_key_is_refused_with_what_differs(one_home: Home) -> None:
    one_home.model([say("forty-two")])
    turn = one_home.start(*ONCE, "--deadline", "60", "--effort", "low")
    turn.wait()
    for args, what in (
        (("new", "ho", "--effort", "low"), "the prompt differs"),
        (("new", "hi"), "--effort differs"),
        (("new", "hi", "--effort", "high", "--write"), "--effort and --write differ"),
        (("continue", "hi", "--effort", "low", "--turn", turn.id), "the verb and --turn differ"),
        (("review", "--instructions", "ho", "--effort", "low"), "the verb and the prompt differ"),
        (("new", "hi", "--effort", "low", "--cwd", ".."), "the directory differs"),
        (("continue", "hi", "--effort", "low", "--thread", ""), "the verb and --thread differ"),
    ):
        run = one_home.run(*args, "--once", "job 1")
        assert (run.code, run.error["kind"]) == (65, "bad_input"), args
        refusal = f"turn {turn.id} has the key 'job 1', and was started by another call: {what}"
        assert run.error["message"] == refusal, args
        assert run.stderr == f"codex-server: {refusal}\n"
        command = run.error["hint"].split("`")[1]
        assert one_home.call(*command.split()[1:]).json["turn_id"] == turn.id
    again = one_home.run("new", "hi", "--effort", "low", "--once", "job 1", "--deadline", "30", "--skip-git-check")
    assert again.stderr == (
        f"codex-server: turn {turn.id} keeps the --deadline that it was started with\n"
        f"already started as {turn.id} (complete)\n"
    )
    assert one_home.turn_ids == [turn.id]


def test_what_is_piped_in_is_part_of_the_prompt(one_home: Home) -> None:
    one_home.model([say("forty-two")])
    first = one_home.run(*ONCE, stdin="some text")
    assert one_home.run(*ONCE, stdin="some text").json["turn_id"] == first.json["turn_id"]
    assert one_home.run(*ONCE, stdin="another").code == 65
    one_home.turn(first.json["turn_id"]).wait()


def test_the_key_of_a_deleted_turn_is_free(one_home: Home) -> None:
    one_home.model([say("one"), say("two")])
    turn = one_home.start(*ONCE)
    turn.wait()
    turn.wait_for_exit_of_worker()
    assert one_home.call("gc", "--older-than", "0").code == 0
    run = one_home.run(*ONCE, "--wait")
    assert (run.json["answer"], "existing" in run.json, turn.path.exists()) == ("two", False, False)


def test_a_continue_is_answered_with_its_turn_which_holds_the_thread_and_is_the_newest(one_home: Home) -> None:
    gate = Gate()
    one_home.model([say("one"), reply(hold(gate), say("two"))])
    first = one_home.start("new", "hi")
    first.wait()
    for selector in (("--last",), ("--turn", first.id), ("--thread", first.meta["thread_id"]), ("--fork",)):
        call = ("continue", "go on", "--once", " ".join(selector), *selector)
        one_home.model([reply(hold(gate), say("two"))])
        calls = [one_home.spawn(*call) for _ in range(3)]
        answers = [json.loads(each.communicate(timeout=DEADLINE_S)[0]) for each in calls]
        assert {each.returncode for each in calls} == {0}, answers
        assert len({answer["turn_id"] for answer in answers}) == 1
        turn = one_home.turn(answers[0]["turn_id"])
        assert one_home.run(*call).json["turn_id"] == turn.id
        assert one_home.run("cancel", turn.id).code == 0
        assert one_home.run(*call).json["turn_id"] == turn.id
    assert len(one_home.turn_ids) == 5


def test_a_review_is_answered_with_its_turn_whatever_became_of_the_world(one_home: Home) -> None:
    def git(*args: str) -> None:
        identity = ("-c", "user.name=Dev", "-c", "user.email=dev@example.com")
        subprocess.run(["git", *identity, *args], cwd=one_home.project, capture_output=True, check=True)

    one_home.model([say("fine")])
    git("init", "-q", "-b", "main")
    git("commit", "-qm", "First", "--allow-empty")
    git("branch", "base")
    call = ("review", "--base", "base", "--once", "r")
    turn = one_home.start(*call)
    turn.wait()
    git("branch", "-D", "base")
    shutil.rmtree(one_home.project / ".git")
    (one_home.codex_home / "config.toml").unlink()
    one_home.configure(codex="/missing")
    run = one_home.run(*call)
    assert (run.code, run.json["turn_id"], run.json["existing"]) == (0, turn.id, True)
    assert one_home.run("review", "--base", "base").code == 65
