"""A repairer ends the turn of a dead worker on an app-server that lives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from codex_server_cli.core.protocol.query import Listen
from codex_server_cli.core.session.shared.interrupt_query import InterruptedTurn, interrupt_turn
from tests.kit.cases import for_each
from tests.kit.queries import play

CAPTURE = Path(__file__).parents[3] / "fixtures" / "captures-transport" / "repair_dead_worker-0.171.0.jsonl"
THREAD, TURN, CLIENT = "t1", "u1", "20261120-165501-482-7f3a"
PROMPT = {"type": "userMessage", "id": "p", "clientId": CLIENT}
OK: dict[str, Any] = {"result": {}}
REFUSED = {"error": {"code": -32600, "message": "no rollout found for thread id t1"}}


def stored(
    status: str, *, id_: str = TURN, client: str | None = CLIENT, completed_at: int | None = 1
) -> dict[str, Any]:
    return {"id": id_, "status": status, "items": [{**PROMPT, "clientId": client}], "completedAt": completed_at}


def resumed(*turns: dict[str, Any]) -> dict[str, Any]:
    return {"result": {"thread": {"id": THREAD}, "initialTurnsPage": {"data": list(turns)}}}


def listed(*turns: dict[str, Any]) -> dict[str, Any]:
    return {"result": {"data": list(turns)}}


def methods(steps: list[Any]) -> list[str]:
    return [f"listen {step.method}" if isinstance(step, Listen) else step[0] for step in steps]


def test_the_recorded_repair_is_repeated_request_for_request() -> None:
    lines = [json.loads(line) for line in CAPTURE.read_text().splitlines()]
    second = [line["msg"] for line in lines if line["c"] == "B"]
    replies = {message["id"]: message for message in second if "method" not in message}
    page = replies[3]["result"]
    page_reply = {"result": {**replies[2]["result"], "initialTurnsPage": page}}
    thread_id, turn_id = replies[2]["result"]["thread"]["id"], page["data"][0]["id"]
    ended = listed({**page["data"][0], "status": "interrupted", "completedAt": 1})
    query = interrupt_turn(thread_id, None, "turn-1", "1")
    steps, found = play(query, replies[1], page_reply, replies[4], ended, replies[5], replies[6])
    asked = [(m["method"], m["params"]) for m in second if "id" in m and "method" in m and m["id"] in replies]
    of_recording = {method: params for method, params in asked if method.startswith(("turn/", "thread/"))}
    assert steps[2:3] + steps[4:] == [
        (method, of_recording[method])
        for method in ("turn/interrupt", "thread/backgroundTerminals/clean", "thread/unsubscribe")
    ]
    assert (found.was_running, found.refusal) == (True, None)
    assert found.turn is not None
    assert (found.turn["id"], found.turn["status"]) == (turn_id, "interrupted")


@for_each("status", ["completed", "failed", "interrupted"])
def test_a_turn_that_has_ended_is_only_cleaned_up(status: str) -> None:
    steps, found = play(interrupt_turn(THREAD, TURN, CLIENT, "1"), OK, resumed(stored(status)), OK, OK)
    assert methods(steps) == ["initialize", "thread/resume", "thread/backgroundTerminals/clean", "thread/unsubscribe"]
    assert found == InterruptedTurn(stored(status))


def test_one_whose_end_is_just_being_stored_is_looked_at_again() -> None:
    torn, whole = stored("interrupted", completed_at=None), stored("completed")
    replies = [OK, resumed(torn), listed(torn), {}, listed(whole), OK, OK]
    steps, found = play(interrupt_turn(THREAD, TURN, CLIENT, "1"), *replies)
    assert "turn/interrupt" not in methods(steps)
    assert found == InterruptedTurn(whole)


def test_one_that_was_cut_off_with_its_server_stays_so() -> None:
    torn = stored("interrupted", completed_at=None)
    replies = [OK, resumed(torn), *([listed(torn), {}] * 3), OK, OK]
    assert play(interrupt_turn(THREAD, TURN, CLIENT, "1"), *replies)[1] == InterruptedTurn(torn)


def test_another_turn_is_left_alone() -> None:
    other = stored("inProgress", id_="u2", client="else")
    steps, found = play(interrupt_turn(THREAD, None, CLIENT, "1"), OK, resumed(other), OK, OK)
    assert "turn/interrupt" not in methods(steps)
    assert found == InterruptedTurn(None)


def test_an_interrupt_is_repeated_until_it_is_accepted() -> None:
    running, ended = stored("inProgress"), stored("interrupted")
    replies = [OK, resumed(running), REFUSED, {}, OK, listed(running), {}, listed(ended), OK, OK]
    steps, found = play(interrupt_turn(THREAD, TURN, CLIENT, "1"), *replies)
    assert methods(steps)[2:8] == [
        *("turn/interrupt", "listen turn/completed", "turn/interrupt"),
        *("thread/turns/list", "listen turn/completed", "thread/turns/list"),
    ]
    assert found == InterruptedTurn(ended, was_running=True)


def test_one_that_is_never_accepted_is_given_up() -> None:
    replies = [OK, resumed(stored("inProgress")), *([REFUSED, {}] * 40), OK, OK]
    steps, found = play(interrupt_turn(THREAD, TURN, CLIENT, "1"), *replies)
    assert methods(steps)[-2:] == ["thread/backgroundTerminals/clean", "thread/unsubscribe"]
    assert found == InterruptedTurn(stored("inProgress"))


def test_so_is_an_end_that_never_comes() -> None:
    running = stored("inProgress")
    replies = [OK, resumed(running), OK, *([listed(running), {}] * 8), OK, OK]
    assert play(interrupt_turn(THREAD, TURN, CLIENT, "1"), *replies)[1] == InterruptedTurn(running, was_running=True)


def test_a_thread_that_cannot_be_resumed_has_its_turn_interrupted_all_the_same() -> None:
    replies = [OK, REFUSED, REFUSED, OK, REFUSED, OK, OK]
    steps, found = play(interrupt_turn(THREAD, TURN, CLIENT, "1"), *replies)
    assert methods(steps)[2:5] == ["thread/turns/list", "turn/interrupt", "thread/turns/list"]
    assert found == InterruptedTurn(None, True, "no rollout found for thread id t1")


def test_where_nothing_is_known_of_the_turn_nothing_is_interrupted() -> None:
    steps, found = play(interrupt_turn(THREAD, None, CLIENT, "1"), OK, REFUSED, REFUSED, OK, OK)
    assert "turn/interrupt" not in methods(steps)
    assert (found.turn, found.was_running) == (None, False)
