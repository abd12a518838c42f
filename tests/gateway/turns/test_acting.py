"""Acting on turns over HTTP: cancel, steer, approve, decline, reply, delete."""

from __future__ import annotations

import json
from itertools import product

from codex_server_cli.core.model.request import Sandbox
from tests.gateway.turns.conftest import Serve
from tests.gateway.turns.test_reading import error_of
from tests.kit.home import FIRST_HALF, Home
from tests.kit.played_turn import ASKING, PlayedTurn, finish, hold
from tests.kit.turns_face import TurnsFaceServer

QUESTIONS = tuple({"id": f"q{number}", "header": "h", "question": "which?", "options": []} for number in (1, 2))


def test_a_turn_of_the_command_line_is_cancelled_and_stays_as_it_ended(one_home: Home, face: TurnsFaceServer) -> None:
    turn = hold(one_home)
    for _ in range(2):
        answer = face.client.post(f"/turns/{turn.id}/cancel")
        assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert turn.result["answer"] == FIRST_HALF


def test_a_turn_is_steered(one_home: Home, face: TurnsFaceServer) -> None:
    turn = hold(one_home)
    answer = face.client.post(f"/turns/{turn.id}/steer", json={"text": "and now?"})
    assert (answer.status_code, answer.json()["turn_id"]) == (200, turn.id)
    assert turn.sent("turn/steer")["input"][0]["text"] == "and now?"
    finish(turn)
    error_of(face.client.post(f"/turns/{turn.id}/steer", json={"text": "more"}), 400, "bad_input")


WRONG = [
    ("steer", {}, "text", "`text` is missing"),
    ("steer", {"text": 1}, "text", "`text` is a string"),
    ("steer", {"tekst": "x"}, "tekst", "is it `text`?"),
    ("steer", {"text": " "}, None, "there is no text to steer with"),
    ("cancel", {"text": " "}, "text", "there is no parameter `text`"),
    ("decline", {"request": 1}, "request", "`request` is a string"),
    ("reply", {}, "answers", "give `answers` by question id"),
    ("reply", {"answer": "a", "answers": {"q1": "a"}}, "answers", "give `answers` by question id"),
    ("reply", {"answers": ["a"]}, "answers", "`answers` is an object"),
    ("reply", {"answers": {"q1": 1}}, "answers.q1", "a list of strings, not a number"),
    ("reply", {"answers": {"q1": " "}}, "answers", "an answer is empty"),
    ("reply", {"answers": {"q1": []}}, "answers", "an answer is empty"),
    ("reply", {"answers": {}}, "answers", "an answer is empty"),
    ("reply", {"answer": "a"}, "answer", "give `answers`, with q1, q2"),
]
"""Actions, their bodies, and the parameter and a part of the message of the refusal."""


def test_a_wrong_body_changes_nothing(one_home: Home, face: TurnsFaceServer) -> None:
    turn = PlayedTurn(one_home, **ASKING)
    turn.ask(*QUESTIONS)
    for path, body, param, message in WRONG:
        answer = face.client.post(f"/turns/{turn.id}/{path}", json=body)
        error = answer.json()["error"]
        assert (answer.status_code, error["param"]) == (400, param), (path, body, error)
        assert message in error["message"], (path, body)
    assert len(face.client.get(f"/turns/{turn.id}/pending").json()["pending"]) == 1


def test_what_is_no_json_object_is_refused(one_home: Home, face: TurnsFaceServer) -> None:
    turn = hold(one_home)
    bodies = (b"", b"{", b"[]", b"\xff", b"\x1f\x8b\x08")
    for path, body in product(("/turns", f"/turns/{turn.id}/continue"), bodies):
        answer = face.client.post(path, content=body)
        assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert one_home.turn_ids == [turn.id]


def test_an_approval_is_declined_by_anybody_and_given_only_where_anything_may_be_run(
    one_home: Home, serve: Serve
) -> None:
    turn = PlayedTurn(one_home, name="asks", **ASKING)
    request = turn.ask_approval("rm -rf /")
    careful, open_ = serve(may_write=True), serve(has_raw_rpc=True)
    refused = error_of(careful.client.post("/turns/asks/approve", json={"request": request}), 403, "not_allowed")
    assert refused["message"].endswith("this gateway was started without --allow-raw-rpc")
    error_of(open_.client.post("/turns/last/approve"), 400, "bad_input")  # as on the command line
    given = open_.client.post("/turns/asks/approve", json={"request": request, "session": False})
    assert (given.status_code, given.json()["decided"]) == (200, "approve")
    turn.ask_approval("rm -rf /")
    declined = careful.client.post("/turns/asks/decline")
    assert (declined.status_code, declined.json()["decided"]) == (200, "decline")
    error_of(careful.client.post("/turns/asks/decline", json={"request": "77"}), 404, "bad_input")


def test_a_question_is_answered_by_its_id_or_as_the_only_one(one_home: Home, face: TurnsFaceServer) -> None:
    replies = []
    for body, questions in (
        ({"answers": {"q1": "a", "q2": ["b", "c"]}}, QUESTIONS),
        ({"answer": "only"}, QUESTIONS[:1]),
    ):
        turn = PlayedTurn(one_home, **ASKING)
        turn.ask(*questions)
        answer = face.client.post(f"/turns/{turn.id}/reply", json=body)
        assert (answer.status_code, answer.json()["decided"]) == (200, "reply")
        replies += [event["result"]["answers"] for event in turn.events if "answers" in event.get("result", {})]
    assert replies == [{"q1": {"answers": ["a"]}, "q2": {"answers": ["b", "c"]}}, {"q1": {"answers": ["only"]}}]


def test_a_turn_that_may_do_more_than_callers_is_seen_and_cancelled_but_not_told_what_to_do(
    one_home: Home, serve: Serve
) -> None:
    turn = PlayedTurn(one_home, sandbox=Sandbox.WORKSPACE_WRITE, **ASKING)
    turn.ask(QUESTIONS[0])
    reading, writing = serve(), serve(may_write=True)
    for path, body in (("steer", {"text": "delete all"}), ("reply", {"answer": "yes"})):
        error = error_of(reading.client.post(f"/turns/{turn.id}/{path}", json=body), 403, "not_allowed")
        assert error["message"].endswith("without --write")
    assert writing.client.post(f"/turns/{turn.id}/reply", json={"answer": "yes"}).status_code == 200
    assert reading.client.get(f"/turns/{turn.id}").json()["state"] == "running"
    assert reading.client.post(f"/turns/{turn.id}/cancel").json()["state"] == "cancelled"


def test_an_ended_turn_is_deleted_and_a_running_one_is_not(one_home: Home, face: TurnsFaceServer) -> None:
    turn = hold(one_home, name="held")
    running = error_of(face.client.delete("/turns/held"), 409, "thread_busy")
    assert "is still running" in running["message"]
    finish(turn)
    error_of(face.client.delete("/turns/last"), 400, "invalid_value")
    answer = face.client.delete("/turns/held")
    assert (answer.status_code, answer.json()) == (200, {"version": 2, "turn_id": turn.id, "deleted": True})
    error_of(face.client.get(f"/turns/{turn.id}"), 404, "turn_not_found")
    assert one_home.turn_ids == []


def test_a_turn_with_something_unknown_in_it_is_not_deleted(one_home: Home, face: TurnsFaceServer) -> None:
    turn = hold(one_home)
    finish(turn)
    (turn.path / "mine").mkdir()
    error = error_of(face.client.delete(f"/turns/{turn.id}"), 400, "bad_input")
    assert "has to stay: strange" in error["message"]
    assert turn.path.is_dir()


def test_methods_that_a_path_does_not_have_are_refused_in_json(face: TurnsFaceServer) -> None:
    for method, path in (("PUT", "/turns"), ("POST", "/turns/x/answer"), ("GET", "/turns/x/cancel")):
        answer = face.client.request(method, path)
        assert (answer.status_code, "error" in json.loads(answer.content)) == (405, True)
