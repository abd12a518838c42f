"""The next command is run exactly as it stands, from any directory, and requests the same as the first one."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from pathlib import Path

import pytest

from codex_server_cli.demo.parts import ReplyLike
from codex_server_cli.demo.replies import bad_request, context_window, rate_limited, say, usage_limit
from tests.e2e.test_notify import asks_first
from tests.kit.cases import in_full
from tests.kit.home import FIRST_HALF, SECOND_HALF, Home, Turn
from tests.kit.support import Json

SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "integer"}},
    "required": ["answer"],
    "additionalProperties": False,
}
RIGHT = '{"answer": 42}'


def flags(home: Home) -> list[str]:
    """Every flag that opens or binds something, as a user in a project gives it: by relative paths."""
    subprocess.run(["git", "init", "-q"], cwd=home.project, check=True)
    (home.project / "more room").mkdir()
    (home.project / "my schema.json").write_text(json.dumps(SCHEMA))
    return [
        *("--write", "--add-dir", "more room", "--network", "--schema", "my schema.json", "--name", "mine"),
        *("-c", 'model_verbosity="low"', "--deadline", "5m", "--notify", "cat", "--questions"),
    ]


def asked_of_codex(turn: Turn) -> Json:
    """The wire parameters that result from the flags."""
    params = turn.sent("turn/start")
    return {name: params[name] for name in ("sandboxPolicy", "outputSchema", "approvalPolicy", "cwd")}


def starts(reported: Json) -> list[list[str]]:
    """The words of the commands that start a turn."""
    found = [shlex.split(command) for command in reported["next"].values()]
    return [words[1:] for words in found if words[1] in ("new", "continue", "review")]


def run_as_it_stands(home: Home, words: list[str]) -> Turn:
    run = home.run(*words, cwd=Path("/"), stdin="go on")
    assert run.code == 0, (words, run.stderr)
    return home.turn(run.json["turn_id"])


@pytest.mark.parametrize(
    ("failure", "verb", "kind"),
    [
        in_full(rate_limited(), "continue", "rate_limit"),
        in_full(context_window(), "new", "context_window"),
        in_full(bad_request("no"), "new", "bad_request"),
        (say("Here it is: 42"), "continue", "bad_schema"),
        (usage_limit(), "continue", "usage_limit"),
    ],
    ids=["429", "context window", "400", "wrong answer", "usage limit"],
)
def test_after_a_failure_the_command_of_the_hint_asks_for_the_same(
    one_home: Home, failure: ReplyLike, verb: str, kind: str
) -> None:
    one_home.model([failure])
    turn = one_home.start("new", "hi", *flags(one_home))
    ended = turn.wait()
    assert (ended["state"], ended["error"]["kind"]) == ("failed", kind)
    (one_home.project / "my schema.json").unlink()
    (words,) = starts(ended)
    assert words[0] == verb
    assert f"`codex-server {shlex.join(words)}`" in ended["error"]["hint"]
    assert "--skip-git-check" not in words
    one_home.model([say(RIGHT)])
    again = run_as_it_stands(one_home, words)
    assert again.wait()["answer"] == RIGHT
    assert asked_of_codex(again) == asked_of_codex(turn)
    assert (again.meta["thread_id"] == turn.meta["thread_id"]) == (verb == "continue")
    assert (again.meta["name"], again.meta["request"]["deadline_s"]) == ("mine", 300)
    assert again.meta["request"]["notify"] == turn.meta["request"]["notify"]
    if kind in ("rate_limit", "context_window"):  # one of each verb: after a success all others are the same
        on_and_on = run_as_it_stands(one_home, starts(again.status())[0])
        assert on_and_on.wait()["answer"] == RIGHT
        assert (asked_of_codex(on_and_on), on_and_on.meta["name"]) == (asked_of_codex(turn), None)


@pytest.mark.full
def test_a_schema_that_the_service_refuses_is_mended_in_its_own_file(home: Home) -> None:
    home.model([bad_request("Invalid schema for response_format 'codex_output_schema'")])
    turn = home.start("new", "hi", *flags(home))
    ended = turn.wait()
    assert (ended["error"]["kind"], "answer" in ended["next"]) == ("bad_schema", False)
    (words,) = starts(ended)
    assert words[words.index("--schema") + 1] == str(home.project / "my schema.json")
    home.model([say(RIGHT)])
    assert run_as_it_stands(home, words).wait()["answer"] == RIGHT


@pytest.mark.parametrize("when", ["in its middle", in_full("before it began")])
def test_a_cancelled_turn_goes_on_or_is_asked_again(one_home: Home, when: str) -> None:
    given = flags(one_home)
    if when == "before it began":
        one_home.configure(max_running=1)
    first, gate = one_home.start_held("new", "hi", *given)
    turn = first if when == "in its middle" else one_home.start("new", "hi", *given)
    ended = one_home.run("cancel", turn.id, "--full").json
    (words,) = starts(ended)
    assert (words[0], "answer" in ended["next"]) == (("continue", True) if turn is first else ("new", False))
    gate.open()
    first.wait()
    one_home.model([say(RIGHT)])
    again = run_as_it_stands(one_home, words)
    assert again.wait()["answer"] == RIGHT
    assert asked_of_codex(again) == asked_of_codex(first)


@pytest.mark.full
def test_a_limit_without_a_known_reset_is_told_so_and_the_wait_for_it_says_that_it_starts_at_once(
    home: Home,
) -> None:
    home.model([usage_limit(), say("Done.")])
    ended = home.start("new", "hi").wait()
    assert (ended["error"]["kind"], ended["error"]["resets_at"]) == ("usage_limit", None)
    assert "No time is known" in ended["error"]["hint"]
    (words,) = starts(ended)
    assert "--after-reset" in words
    run = home.run(*words)
    assert "this turn starts at once" in run.stderr
    assert home.turn(run.json["turn_id"]).wait()["answer"] == "Done."


def test_a_wait_for_a_known_reset_leaves_room_in_the_deadline(one_home: Home) -> None:
    reset_s = int(time.time()) + 3
    one_home.model([usage_limit(resets_at=reset_s), say("Done.")])
    ended = one_home.start("new", "hi", "--deadline", "60").wait()
    (words,) = starts(ended)
    assert 60 < int(words[words.index("--deadline") + 1]) < 60 + 120  # Codex reports the minute
    assert words[-1] == "--after-reset"


def test_the_wait_of_a_turn_that_asks_comes_back_for_each_request(one_home: Home) -> None:
    one_home.model(asks_first)
    run = one_home.run("new", "hi", "--approval", "ask")
    turn = one_home.turn(run.json["turn_id"])
    words = shlex.split(run.json["next"]["wait"])[1:]
    assert one_home.run(*words).code == 5
    status = turn.status()
    assert next(iter(status["next"])) == "pending"
    assert one_home.run(*shlex.split(status["next"]["pending"])[1:]).code == 0
    decided = one_home.run("decline", turn.id).json
    assert decided["next"]["wait"].endswith("--until attention") or "answer" in decided["next"]
    assert one_home.run(*words).code == 0


def test_who_meets_a_busy_thread_is_told_its_holder_and_how_long_to_wait(home: Home) -> None:
    home.model([say("one")])
    first = home.start("new", "hi")
    first.wait()
    holder, gate = home.start_held("continue", "--turn", first.id, "two", "--questions")
    error = home.run("continue", "--turn", first.id, "three").error
    assert (error["kind"], error["holder"]) == ("thread_busy", holder.id)
    (command,) = error["hint"].split("`")[1::2]
    assert command == f"codex-server wait {holder.id} --timeout 100 --until attention"
    gate.open()
    assert home.run(*shlex.split(command)[1:]).stdout.endswith(f"{FIRST_HALF}{SECOND_HALF}\n")
    assert home.start("continue", "--turn", first.id, "three").wait()["state"] == "complete"
