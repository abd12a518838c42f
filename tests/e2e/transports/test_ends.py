"""How a turn ends is told alike over every way: each failure that a model can cause, a death, and what Codex knows."""

from __future__ import annotations

import pytest

from codex_server_cli.core.history.stored_turn import NOTICE
from codex_server_cli.demo.codex_home import write_custom_provider
from codex_server_cli.demo.parts import ReplyLike
from codex_server_cli.demo.replies import (
    context_window,
    cut_after,
    fail,
    overloaded,
    rate_limited,
    reply,
    run_command,
    say,
    server_error,
    unauthorized,
    usage_limit,
)
from codex_server_cli.demo.request import Request
from tests.e2e.test_continuing import echo, ended
from tests.e2e.test_recover import cut
from tests.kit.faults import shorten
from tests.kit.home import FIRST_HALF, SECOND_HALF, sleepers, start_sleeping
from tests.kit.places import NOWHERE, TransportHome, short_list

WHOLE = FIRST_HALF + SECOND_HALF
FAILURES: dict[str, tuple[ReplyLike, str, str]] = {
    "usage limit": (usage_limit(resets_at=2_000_000_000), "usage_limit", "--after-reset"),
    "429": (rate_limited(), "rate_limit", "continue --turn"),
    "401": (unauthorized(), "auth", "codex-server login"),
    "500": (server_error(), "overloaded", "--model"),
    "503": (overloaded(), "overloaded", "continue --turn"),
    "context window": (context_window(), "context_window", "codex-server new"),
    "400": (fail(400, {"error": {"message": "The model `x` does not exist"}}), "bad_request", ""),
    "broken": (cut_after(FIRST_HALF), "network", "continue --turn"),
}
"""What the model does for a prompt, the kind that the turn then ends with, and a part of its next step."""


@short_list
def test_each_failure_of_the_model_has_its_kind_and_its_next_step(place: TransportHome) -> None:
    place.model(lambda request: FAILURES[request.prompt][0])
    turns = {prompt: place.start("new", prompt) for prompt in FAILURES}
    for prompt, (_, kind, word) in FAILURES.items():
        done = turns[prompt].wait()
        error = done["error"]
        assert (done["state"], error["kind"], bool(error["message"])) == ("failed", kind, True), done
        assert word in error["hint"], (prompt, error)
        assert done["answer"] == (FIRST_HALF if prompt == "broken" else None)
        assert turns[prompt].result["error"] == error
    assert place.left_running() == []


def test_a_stream_that_breaks_and_begins_again_shows_its_text_once(place: TransportHome) -> None:
    place.model([cut_after("Hello, "), say("Hello, ", "world")], retries=2)
    turn = place.start("new", "hi")
    assert turn.wait()["answer"] == "Hello, world"
    before, reconnecting, after = turn.out.partition("↻ Reconnecting")
    assert (before.count("Hello"), bool(reconnecting), after.count("Hello")) == (1, True, 0)
    assert after.endswith("\n\nworld\n")


def test_a_network_that_stays_out_of_reach_is_stalled(place: TransportHome) -> None:
    shorten(place, RETRIES=1000)
    write_custom_provider(place.codex_home, NOWHERE, stream_max_retries=1000)
    turn = place.start("new", "hi")
    done = turn.wait()
    assert (done["state"], done["error"]["kind"], done["error"]["retryable"]) == ("failed", "stalled", True)
    assert place.left_running() == []


def test_a_failed_thread_goes_on(place: TransportHome) -> None:
    def script(request: Request) -> ReplyLike:
        return overloaded() if request.prompt == "one" else echo(request)

    place.model(script)
    failed = place.start("new", "one")
    assert failed.wait()["state"] == "failed"
    again = ended(place, "continue", "--turn", failed.id, "two")
    assert again.result["answer"] == "re: two"


@short_list
def test_the_turn_of_a_worker_that_was_killed_is_ended_with_its_command_and_the_thread_goes_on(
    place: TransportHome,
) -> None:
    turn, sleep = start_sleeping(
        place, "(setsid {nap} &); {nap}", "--sandbox", "danger-full-access", "--skip-git-check"
    )
    turn.kill_worker()
    assert turn.status()["state"] == "abandoned", turn.status()["error"]
    assert (turn.result["answer"], turn.result["error"]["kind"]) == (FIRST_HALF, "worker_died")
    assert sleepers(sleep) == []
    assert place.left_running() == []
    place.model(echo)
    again = ended(place, "continue", "--turn", turn.id, "go on")
    assert (again.result["answer"], again.meta["thread_id"]) == ("re: go on", turn.meta["thread_id"])


@short_list
@pytest.mark.measured
def test_what_codex_had_finished_unseen_is_recovered(place: TransportHome) -> None:
    place.model([reply(say("Looking.", phase="commentary"), run_command("echo hi")), say(FIRST_HALF, SECOND_HALF)])
    turn = ended(place, "new", "hi")
    cut(turn, "item/agentMessage/delta")
    assert turn.status()["state"] == "abandoned", turn.status()["error"]
    run = place.run("recover", turn.id)
    assert (run.code, run.json["state"], run.json["answer"], run.json["recovered"]) == (0, "complete", WHOLE, True)
    assert turn.result["recovered"]["source"] == "app-server"
    assert (NOTICE in turn.out, turn.out.count(FIRST_HALF), turn.out.count(SECOND_HALF)) == (True, 1, 1)
    again = place.run("recover", turn.id)
    assert (again.code, again.json["recovered"]) == (0, False)
    assert place.left_running() == []
