"""What a turn does is the same over every way to an app-server: text, commands, options, threads, reviews."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import apply_patch, hold, reason, reply, run_command, say, update_plan
from tests.e2e.test_code_review import make_repository_to_review, reviewers_text
from tests.e2e.test_continuing import echo, ended, prompts_and_answers
from tests.e2e.test_inputs import SCHEMA, write
from tests.e2e.test_pictures import BLUE, RED, put, shown
from tests.kit.home import FIRST_HALF, SECOND_HALF, Turn
from tests.kit.places import TransportHome, every_day, short_list
from tests.kit.support import DEADLINE_S, wait_until

PATCH = "*** Begin Patch\n*** Add File: note.txt\n+hello\n*** End Patch"
TAG = "CODEX_SERVER_TURN_ID"
WRITE = ("--write", "--skip-git-check")


def completed_items(turn: Turn) -> Counter[str]:
    """How often each item of a turn was reported as completed."""
    return Counter(event["params"]["item"]["id"] for event in turn.events if event.get("method") == "item/completed")


def assert_is_in_order(turn: Turn) -> None:
    """Every event has its number, no item was recorded twice, and nothing came of another thread."""
    events = turn.events
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert set(completed_items(turn).values()) == {1}
    threads = {event["params"]["threadId"] for event in events if "threadId" in event.get("params", {})}
    assert threads == {turn.meta["thread_id"]}


@every_day
def test_a_turn_streams_its_text_runs_a_command_and_answers(place: TransportHome) -> None:
    gate = Gate()
    model = place.model(
        [
            reply(reason("First I look."), say("Looking. ", phase="commentary"), run_command(f"echo ${TAG}; false")),
            say(FIRST_HALF, hold(gate), SECOND_HALF),
        ]
    )
    turn = place.start("new", "hi")
    wait_until(lambda: FIRST_HALF in turn.out or turn.is_ended, what="the first half")
    assert (turn.status()["state"], turn.is_ended) == ("running", False)
    gate.open()
    done = turn.wait()
    assert (done["state"], done["answer"], done["error"]) == ("complete", FIRST_HALF + SECOND_HALF, None)
    assert (turn.path / "answer.txt").read_text() == FIRST_HALF + SECOND_HALF
    assert done["usage"]["total_tokens"] == 240
    assert [turn.out.count(text) for text in ("Looking. ", FIRST_HALF, SECOND_HALF, "→ exit 1")] == [1, 1, 1, 1]
    (printed,) = model.model_requests[1].tool_outputs.values()
    assert turn.id in str(printed)
    assert place.left_running() == []
    assert_is_in_order(turn)
    assert (turn.meta["server"] or {}).get("url") == place.settings.get("server")


@short_list
def test_turns_at_the_same_moment_get_their_own_answers_and_nothing_of_the_others(place: TransportHome) -> None:
    place.model(echo)
    launchers = [place.spawn("new", f"prompt {number}", "--wait") for number in range(4)]
    for number, launcher in enumerate(launchers):
        stdout, stderr = launcher.communicate(timeout=DEADLINE_S)
        assert launcher.returncode == 0, stdout + stderr
        run = json.loads(stdout)
        assert run["answer"] == f"re: prompt {number}"
        assert_is_in_order(place.turn(run["turn_id"]))
    assert place.left_running() == []


def test_a_command_finds_the_directory_and_where_codex_runs_here_the_callers_variables(place: TransportHome) -> None:
    variables = {"PLAIN": "a caller's", "QUOTED": 'it\'s "so"\nünïcode ✓ $HOME'}
    place.env |= variables
    model = place.model([run_command('pwd; printf "%s|%s" "$PLAIN" "$QUOTED"', call_id="c"), say("done")])
    turn = ended(place, "new", "hi")
    printed = model.model_requests[1].tool_outputs["c"]
    assert str(place.project) in printed
    if place.is_here:
        assert "|".join(variables.values()) in printed
    assert_is_in_order(turn)


def test_a_plan_and_a_patch_are_told_and_the_changes_are_there(place: TransportHome) -> None:
    plan = update_plan(("look", "completed"), ("act", "in_progress"))
    place.model([plan, apply_patch(PATCH), say("Done.")])
    turn = ended(place, "new", "hi", *WRITE)
    assert (place.project / "note.txt").read_text() == "hello\n"
    (change,) = turn.result["changes"]
    assert change["path"] == "note.txt"
    assert "+hello\n" in place.call("diff", turn.id).stdout
    assert "act" in turn.out
    assert_is_in_order(turn)


def test_a_schema_reaches_the_model_and_the_answer_is_its_document(place: TransportHome) -> None:
    model = place.model([say('{"answer":', " 42}"), say('{"answer": "forty-two"}')])
    schema = write(place, "schema.json", json.dumps(SCHEMA))
    turn = ended(place, "new", "hi", "--schema", schema)
    assert json.loads((turn.path / "answer.txt").read_text()) == {"answer": 42}
    asked = model.model_requests[0].body["text"]["format"]
    assert (asked["type"], asked["schema"]) == ("json_schema", SCHEMA)
    bad = place.start("new", "hi", "--schema", schema).wait()
    assert (bad["state"], bad["error"]["kind"], bad["answer"]) == ("failed", "bad_schema", '{"answer": "forty-two"}')


@short_list
def test_pictures_reach_the_model_byte_by_byte(place: TransportHome) -> None:
    model = place.model([say("two pictures"), say("one more")])
    paths = [put(place, "a.png", RED), put(place, "b (new).png", BLUE)]
    turn = ended(place, "new", "what differs?", "--image", paths[0], "--image", paths[1])
    assert shown(model) == [RED, BLUE]
    ended(place, "continue", "--turn", turn.id, "and now?", "--image", paths[0])
    assert shown(model) == [RED, BLUE, RED]


@short_list
def test_a_thread_goes_on_at_once_with_what_it_was_and_what_is_new(place: TransportHome) -> None:
    model = place.model(echo)
    first = ended(place, "new", "one", "--model", "a-model", "--effort", "high")
    second = ended(place, "continue", "--turn", first.id, "two")
    assert prompts_and_answers(model) == ["one", "re: one", "two"]
    assert second.meta["thread_id"] == first.meta["thread_id"]
    body = model.model_requests[-1].body
    assert (body["model"], body["reasoning"]["effort"]) == ("a-model", "high")
    third = ended(place, "continue", "--last", "three", "--model", "another-model", *WRITE)
    assert prompts_and_answers(model)[-3:] == ["two", "re: two", "three"]
    assert model.model_requests[-1].body["model"] == "another-model"
    assert third.meta["effective"]["sandbox_policy"]["type"] == "workspaceWrite"
    fourth = ended(place, "continue", "--turn", third.id, "four", "--sandbox", "read-only")
    assert fourth.meta["effective"]["sandbox_policy"]["type"] == "readOnly"
    assert {turn.meta["thread_id"] for turn in (third, fourth)} == {first.meta["thread_id"]}
    for turn in (first, second, third, fourth):
        assert (turn.meta["server"] or {}).get("url") == place.settings.get("server")
        assert turn.result["usage"]["total_tokens"] == 120


def test_a_fork_begins_after_its_turn_and_leaves_the_thread_alone(place: TransportHome) -> None:
    model = place.model(echo)
    first = ended(place, "new", "one")
    ended(place, "continue", "--turn", first.id, "two")
    fork = ended(place, "continue", "--turn", first.id, "--fork", "three")
    assert prompts_and_answers(model) == ["one", "re: one", "three"]
    assert fork.meta["forked_from"] == first.meta["thread_id"] != fork.meta["thread_id"]
    ended(place, "continue", "--turn", first.id, "four")
    assert prompts_and_answers(model) == ["one", "re: one", "two", "re: two", "four"]


def test_a_running_turn_can_be_forked_and_is_else_busy(place: TransportHome) -> None:
    held, gate = place.start_held("new", "one")
    busy = place.run("continue", "--turn", held.id, "two")
    assert (busy.code, busy.error["kind"]) == (75, "thread_busy")
    assert held.id in busy.error["message"]
    model = place.model(echo)
    fork = ended(place, "continue", "--turn", held.id, "--fork-if-busy", "two")
    assert prompts_and_answers(model)[0] == "one"
    assert fork.meta["thread_id"] != held.meta["thread_id"]
    gate.open()
    assert held.wait()["answer"] == FIRST_HALF + SECOND_HALF


def test_an_ephemeral_turn_answers_and_leaves_no_session(place: TransportHome) -> None:
    place.model(echo)
    turn = ended(place, "new", "one", "--ephemeral")
    assert turn.result["answer"] == "re: one"
    assert list((place.codex_home / "sessions").rglob("*.jsonl")) == []
    run = place.run("continue", "--turn", turn.id, "two")
    assert (run.code, run.error["kind"]) == (65, "thread_missing")


@pytest.mark.measured
def test_a_review_is_the_answer_of_its_turn(place: TransportHome) -> None:
    make_repository_to_review(place)
    path = place.project / "a.txt"
    place.model([reply(say("Hm.", phase="commentary"), run_command("cat a.txt")), say(reviewers_text(path), chunks=3)])
    turn = place.start("review", "--base", "main")
    done = turn.wait()
    assert (done["state"], done["codex_turn_id"]) == ("complete", turn.meta["codex_turn_id"])
    assert f"[P1] Two is not one — {path}:1-1\n  It was one." in done["answer"]
    assert turn.sent("review/start")["target"] == {"type": "baseBranch", "branch": "main"}
    assert turn.out.count("One bug.") == 1
    assert place.left_running() == []
