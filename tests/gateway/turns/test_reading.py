"""Reading turns over HTTP: the list, one, its answer, its diff, what it waits for."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psutil

from codex_server_cli.core.model.short_ids import short_ids
from tests.kit.home import FIRST_HALF, SECOND_HALF, Home
from tests.kit.played_turn import ASKING, PlayedTurn, finish, hold
from tests.kit.support import wait_until
from tests.kit.turns_face import TurnsFaceServer

ANSWER = FIRST_HALF + SECOND_HALF


def error_of(answer: httpx.Response, status: int, code: str) -> Mapping[str, Any]:
    assert answer.status_code == status, answer.text
    error: Mapping[str, Any] = answer.json()["error"]
    assert error["code"] == code
    assert {"message", "type", "param", "code"} <= set(error)
    return error


def test_a_turn_is_the_document_of_status_by_id_prefix_name_and_last(one_home: Home, face: TurnsFaceServer) -> None:
    turn = hold(one_home, name="held")
    finish(turn)
    wanted = json.loads(one_home.call("status", turn.id).stdout)
    for selector in (turn.id, turn.id[:-1], "held", "last"):
        found = face.client.get(f"/turns/{selector}").json()
        assert found == wanted, selector
    full = face.client.get(f"/turns/{turn.id}", params={"full": "true"}).json()
    assert full == one_home.call("status", turn.id, "--full").json
    some = face.client.get(f"/turns/{turn.id}?fields=state,cwd").json()
    assert some == {"state": "complete", "cwd": str(one_home.project)}


WRONG = [
    ("/turns/nothing", 404, "turn_not_found", "no turn is named nothing"),
    ("/turns/2026", 404, "turn_ambiguous", "2 turns begin with 2026"),
    ("/turns/..%2f..", 404, "unknown_url", ""),
    ("/turns/rev-*", 404, "turn_not_found", "not a turn id"),
    ("/turns/%ff", 404, "turn_not_found", "not a turn id"),
    ("/turns/a%00b", 404, "turn_not_found", "not a turn id"),
    ("/turns/last?ful=1", 400, "unknown_parameter", "there is no parameter `ful`; is it `full`?"),
    ("/turns/last/diff?wait=1", 400, "unknown_parameter", "there is no parameter `wait`; there are none"),
    ("/turns/last?full=maybe", 400, "invalid_value", "`full` is true or false, not 'maybe'"),
    ("/turns/last?full=1&full=0", 400, "invalid_value", "`full` is given twice"),
    ("/turns/last?full&fields=state", 400, "bad_input", "exclude each other"),
    ("/turns/last?fields=stat", 400, "bad_input", "there is no stat"),
    ("/turns?limit=0", 400, "invalid_value", "`limit` is a whole number from 1 to 1000"),
    ("/turns?state=done", 400, "invalid_value", "`state` is one of missing, running, complete"),
    ("/turns?since=7", 400, "bad_input", "since takes a number with its unit"),
    ("/turns?before=2026", 400, "invalid_value", "`before` is the whole id of a turn"),
    ("/turns?search=%ff", 400, "invalid_value", "`search` is not valid text"),
    ("/turns?thread=none-such", 404, "thread_missing", "no such thread"),
    ("/turns/last/answer?wait=301", 400, "invalid_value", "at most 300"),
    ("/turns/last/answer?wait=soon", 400, "invalid_value", "at most 300"),
]
"""Paths, and what they are answered with: status, code, a part of the message."""


def test_what_is_wrong_is_said_in_json(one_home: Home, face: TurnsFaceServer) -> None:
    for _ in range(2):
        hold(one_home).die()
    for path, status, code, message in WRONG:
        answer = face.client.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), (path, answer.text)
        assert message in answer.json()["error"]["message"], path


def test_turns_are_listed_as_by_the_command_line_and_page_by_page(one_home: Home, face: TurnsFaceServer) -> None:
    assert face.client.get("/turns").json() == {"version": 2, "turns": []}
    turns = [PlayedTurn(one_home, f"prompt {number}", name=f"n{number % 2}") for number in range(5)]
    for turn in turns[:3]:
        turn.end("done")
    newest = [turn.id for turn in reversed(turns)]

    def pages(query: str) -> list[list[str]]:
        found, before = [], ""
        while True:
            page = face.client.get(f"/turns?limit=2&{query}{before}").json()
            found.append([each["turn_id"] for each in page["turns"]])
            if "before" not in page:
                return found
            before = f"&before={page['before']}"

    assert pages("") == [newest[:2], newest[2:4], newest[4:]]
    assert pages("state=complete") == [newest[2:4], newest[4:]]
    assert pages("name=n0") == [[newest[0], newest[2]], [newest[4]]]
    assert pages("search=PROMPT+3") == [[newest[1]]]
    assert pages("cwd=.&since=1d") == pages("")
    assert pages("cwd=/") == [[]]
    told = face.client.get("/turns?state=complete").json()["turns"]
    shown = json.loads(one_home.call("list-turns", "--state", "complete", "--json").stdout)
    assert told == shown
    fields = face.client.get("/turns?limit=1&fields=turn_id,prompt").json()["turns"]
    assert fields == [{"turn_id": newest[0], "prompt": "prompt 4"}]
    rows = face.client.get("/turns?fields=turn_id,short_id").json()["turns"]
    assert {row["turn_id"]: row["short_id"] for row in rows} == short_ids(newest, newest)
    assert face.client.get(f"/turns/{rows[0]['short_id']}").json()["turn_id"] == rows[0]["turn_id"]


def test_an_answer_is_waited_for_and_comes_as_text_or_as_json(one_home: Home, face: TurnsFaceServer) -> None:
    turn = hold(one_home)
    path = f"/turns/{turn.id}/answer"
    refused = face.client.get(path)
    assert refused.headers["retry-after"] == "2"
    assert "?wait=60" in error_of(refused, 409, "turn_running")["hint"]
    error_of(face.client.get(path, params={"wait": "0.2s"}), 409, "turn_running")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(face.client.get, path, params={"wait": 60})
        finish(turn)
        text = waiting.result()
    assert (text.text, text.headers["content-type"]) == (ANSWER, "text/plain; charset=utf-8")
    for accept, is_json in (
        ("application/json", True),
        ("application/json, text/plain, */*", True),
        ("text/plain;q=0.5, application/json;q=0.9", True),
        ("text/plain, application/json;q=0.5", False),
        ("application/json;q=0", False),
        ("application/json;q=x", False),
        ("*/*", False),
    ):
        answer = face.client.get(path, headers={"Accept": accept})
        assert answer.headers["content-type"].startswith("application/json") is is_json, accept
    assert face.client.get(path, headers={"Accept": "application/json"}).json()["answer"] == ANSWER


def test_a_long_answer_comes_whole_also_as_json(one_home: Home, face: TurnsFaceServer) -> None:
    turn = PlayedTurn(one_home)
    turn.end("long " * 10_000)
    document = face.client.get(f"/turns/{turn.id}/answer", headers={"Accept": "application/json"}).json()
    assert document["answer"] == "long " * 10_000
    assert not {"answer_path", "answer_chars"} & set(document)


def test_who_waits_for_an_answer_is_told_that_the_turn_waits_itself(one_home: Home, face: TurnsFaceServer) -> None:
    turn = PlayedTurn(one_home, **ASKING)
    turn.ask({"id": "q1", "header": "h", "question": "which?", "options": []})
    asked = face.client.get(f"/turns/{turn.id}/answer", params={"wait": 60})
    assert f"GET /turns/{turn.id}/pending" in error_of(asked, 409, "turn_waits")["message"]


def test_a_turn_that_did_not_complete_has_no_answer_as_text(one_home: Home, face: TurnsFaceServer) -> None:
    turn = hold(one_home)
    turn.fail()
    error = error_of(face.client.get(f"/turns/{turn.id}/answer"), 409, "turn_failed")
    assert error["type"] == "usage_limit"
    document = face.client.get(f"/turns/{turn.id}/answer", headers={"Accept": "application/json"}).json()
    assert (document["state"], document["answer"]) == ("failed", FIRST_HALF)


def test_what_a_turn_waits_for_is_the_document_of_pending(one_home: Home, face: TurnsFaceServer) -> None:
    turn = PlayedTurn(one_home, **ASKING)
    assert face.client.get(f"/turns/{turn.id}/pending").json()["pending"] == []
    turn.ask_approval("rm -rf /")
    wait_until(lambda: face.client.get(f"/turns/{turn.id}/pending").json()["pending"])
    (found,) = face.client.get(f"/turns/{turn.id}/pending").json()["pending"]
    assert (found["kind"], found["command"]) == ("command", "rm -rf /")


def test_a_diff_is_text_or_json(one_home: Home, face: TurnsFaceServer) -> None:
    turn = hold(one_home)
    finish(turn)
    text = face.client.get(f"/turns/{turn.id}/diff")
    assert (text.status_code, text.text, text.headers["content-type"]) == (200, "", "text/x-diff; charset=utf-8")
    document = face.client.get(f"/turns/{turn.id}/diff", headers={"Accept": "application/json"}).json()
    assert (document["turn_id"], document["changes"], document["diff"]) == (turn.id, [], "")


def test_a_client_that_leaves_while_it_waits_is_waited_for_no_longer(one_home: Home, face: TurnsFaceServer) -> None:
    turn = hold(one_home)
    path = str(turn.path / "events.jsonl")

    def n_readers() -> int:
        return sum(each.path == path and each.mode == "r" for each in psutil.Process().open_files())

    connection = socket.create_connection(("127.0.0.1", httpx.URL(face.url).port or 0))
    connection.sendall(f"GET /turns/{turn.id}/answer?wait=300 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    wait_until(lambda: n_readers() == 1, what="the wait")
    connection.close()
    wait_until(lambda: n_readers() == 0, what="its end")
