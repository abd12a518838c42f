"""Failures of the model's service: what is retried, what ends the turn, and what the user sees."""

from __future__ import annotations

import pytest

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.parts import ReplyLike
from codex_server_cli.demo.replies import (
    context_window,
    cut_after,
    fail,
    hold,
    overloaded,
    rate_limited,
    reply,
    say,
    server_error,
    unauthorized,
    usage_limit,
)
from tests.kit.home import Home
from tests.kit.support import wait_until


@pytest.mark.parametrize(
    ("failure", "kind", "word"),
    [
        (usage_limit(resets_at=2_000_000_000), "usage_limit", "resets"),
        (rate_limited(), "rate_limit", "continue --turn"),
        (unauthorized(), "auth", "codex-server login"),
        (server_error(), "overloaded", "--model"),
        (overloaded(), "overloaded", "continue --turn"),
        (context_window(), "context_window", "codex-server new"),
        (fail(400, {"error": {"message": "The model `x` does not exist"}}), "bad_request", "does not exist"),
    ],
    ids=["usage limit", "429", "401", "500", "503", "context window", "400"],
)
def test_a_failure_of_the_model_has_its_kind_and_the_next_step(
    home: Home, failure: ReplyLike, kind: str, word: str
) -> None:
    home.model([failure])
    turn = home.start("new", "hi")
    run = home.run("wait", turn.id)
    assert run.code == 1
    assert f"failed ({kind})" in run.stderr
    assert word in run.stderr
    error = turn.status()["error"]
    assert (error["kind"], error["message"] != "", error["hint"] != "") == (kind, True, True)
    assert turn.result["error"] == error


def test_a_stream_that_breaks_and_begins_again_shows_its_text_once(home: Home) -> None:
    home.model([cut_after("Hello, "), say("Hello, ", "world")], retries=2)
    turn = home.start("new", "hi")
    assert turn.wait()["answer"] == "Hello, world"
    before, reconnecting, after = turn.out.partition("↻ Reconnecting")
    assert before.endswith("Hello, \n\n")
    assert reconnecting
    assert after.endswith("\n\nworld\n")
    assert "Hello" not in after


def test_a_retry_that_answers_differently_says_that_the_answer_began_again(home: Home) -> None:
    home.model([cut_after("Hello, "), say("Good evening")], retries=2)
    turn = home.start("new", "hi")
    assert turn.wait()["answer"] == "Good evening"
    assert turn.out.endswith("Good evening\n")
    assert "restarted" in turn.out


def test_a_turn_that_is_retrying_says_so(one_home: Home) -> None:
    gate = Gate()
    one_home.model([cut_after("Hello, "), reply(hold(gate), say("Hello, world"))], retries=2)
    turn = one_home.start("new", "hi")
    gate.wait_until_reached()
    wait_until(lambda: turn.status()["phase"] == "retrying", what="phase retrying")
    gate.open()
    assert turn.wait()["state"] == "complete"


def test_a_stream_that_stays_broken_is_a_failure_of_the_network_that_keeps_what_had_come(home: Home) -> None:
    model = home.model([cut_after("Hello, ")], retries=1)
    turn = home.start("new", "hi")
    ended = turn.wait()
    assert (ended["state"], ended["error"]["kind"], ended["error"]["retryable"]) == ("failed", "network", True)
    assert ended["answer"] == "Hello, "
    assert len(model.model_requests) == 2


def test_a_stream_that_breaks_where_nothing_is_retried_is_a_failure_of_the_network(one_home: Home) -> None:
    one_home.model([cut_after("Hello, ")])
    ended = one_home.start("new", "hi").wait()
    assert (ended["error"]["kind"], ended["error"]["retryable"], ended["answer"]) == ("network", True, "Hello, ")
