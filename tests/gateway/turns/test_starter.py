"""Starting turns over HTTP with a real codex: the same turns as the command line's."""

from __future__ import annotations

import base64
import json
import os
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from codex_server_cli.core.model.request import Sandbox
from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import hold as hold_at
from codex_server_cli.demo.replies import say
from codex_server_cli.gateway.turns import starter
from tests.gateway.turns.conftest import Serve
from tests.gateway.turns.test_reading import error_of
from tests.kit.home import FIRST_HALF, Home
from tests.kit.played_turn import finish, hold
from tests.kit.processes import is_over
from tests.kit.support import Json, make_repository, wait_until
from tests.kit.turns_face import TurnsFaceServer
from tests.worker.git.conftest import Repository

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
SCHEMA: Json = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}


def test_a_turn_is_started_with_the_document_of_new_seen_by_the_command_line_and_gone_on_with(
    one_home: Home, face: TurnsFaceServer
) -> None:
    model = one_home.model([say("Hello."), say("Again.")])
    answer = face.client.post("/turns", json={"prompt": "hi", "name": "greeting", "deadline": 600})
    assert answer.status_code == 201, answer.text
    started = answer.json()
    assert answer.headers["location"] == f"/turns/{started['turn_id']}"
    assert set(started) == {"version", "turn_id", "state", "turn_dir", "out_path", "next"}
    assert face.client.get("/turns/greeting/answer?wait=60").text == "Hello."
    assert one_home.call("answer", "greeting").stdout == "Hello.\n"
    first = face.ended("greeting")
    assert (first["cwd"], first["sandbox"]) == (str(one_home.project), "read-only")
    keyed = {"Idempotency-Key": "k"}
    second = face.client.post("/turns/last/continue?full=true", json={"prompt": "more"}, headers=keyed).json()
    again = face.client.post("/turns/last/continue", json={"prompt": "more"}, headers=keyed).json()
    assert (again["turn_id"], again["existing"]) == (second["turn_id"], True)  # though another turn is the last one now
    assert {"events_path", "meta_path", "existing"} <= set(second)
    ended = face.ended(second["turn_id"])
    assert (ended["state"], ended["thread_id"]) == ("complete", first["thread_id"])
    assert len(model.requests) == 2
    pid = one_home.turn(second["turn_id"]).meta["pid"]
    wait_until(lambda: not psutil.pid_exists(pid), what="the end of the worker, reaped")


def test_the_same_key_is_the_same_turn_for_both_faces(one_home: Home, face: TurnsFaceServer) -> None:
    one_home.model([say("Hello.")])
    body, headers = {"prompt": "hi"}, {"Idempotency-Key": "k 1"}
    first = face.client.post("/turns", json=body, headers=headers)
    again = face.client.post("/turns", json={**body, "once": "k 1"}, headers=headers)
    assert (first.status_code, again.status_code, again.json()["existing"]) == (201, 200, True)
    assert first.json()["turn_id"] == again.json()["turn_id"]
    told = one_home.run("new", "hi", "--sandbox", "read-only", "--once", "k 1").json
    assert (told["turn_id"], told["existing"]) == (first.json()["turn_id"], True)
    other = error_of(face.client.post("/turns", json={"prompt": "else"}, headers=headers), 400, "bad_input")
    assert "the prompt differs" in other["message"]
    twice = [("Idempotency-Key", "k 1"), ("Idempotency-Key", "k 2")]
    error_of(face.client.post("/turns", json=body, headers=twice), 400, "invalid_value")
    error = error_of(face.client.post("/turns", json={**body, "once": "k 2"}, headers=headers), 400, "invalid_value")
    assert error["param"] == "once"
    face.ended(first.json()["turn_id"])
    assert len(one_home.turn_ids) == 1


def test_a_schema_and_a_picture_are_given_by_value(one_home: Home, face: TurnsFaceServer) -> None:
    model = one_home.model([say('{"n": 3}')])
    picture = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    body = {"prompt": "how many?", "schema": SCHEMA, "image": picture, "once": "k"}
    started = face.client.post("/turns", json=body)
    assert started.status_code == 201, started.text
    again = face.client.post("/turns", json=body)
    assert (again.status_code, again.json()["turn_id"]) == (200, started.json()["turn_id"])
    assert face.ended(started.json()["turn_id"])["state"] == "complete"
    turn = one_home.turn(started.json()["turn_id"])
    assert turn.meta["schema"] is None
    assert (turn.path / turn.meta["images"][0]).read_bytes() == PNG
    asked = json.dumps(model.requests[0].body)
    assert '"json_schema"' in asked
    assert "data:image/png;base64," in asked


WRONG: list[tuple[Json, str]] = [
    ({"prompt": "x" * 1_048_577}, "Codex takes 1048576"),
    ({"prompt": "x", "cwd": "nowhere"}, "no such directory"),
    ({"prompt": "x", "cwd": ""}, "no such directory: ''"),
    ({"prompt": "x", "name": "last"}, "not a turn name"),
    ({"prompt": "x", "model": " "}, "--model is empty"),
    ({"prompt": "x", "deadline": "soon"}, "--deadline takes a duration"),
    ({"prompt": "x", "approval_timeout": 5}, "--approval-timeout needs"),
    ({"prompt": "x", "once_for": "1d"}, "--once-for needs --once"),
    ({"prompt": "x", "once": "a\nb"}, "not a key for --once"),
    ({"prompt": "x", "schema": {"type": "array"}}, "the schema"),
    ({"prompt": "x", "schema": "none.json"}, "cannot read the schema"),
    ({"prompt": "x", "schema": "fifo"}, "fifo is not a regular file"),
    ({"prompt": "x", "image": "none.png"}, "cannot read the image"),
    ({"prompt": "x", "image": "data:image/png;base64,!"}, "image 1 is not valid base64"),
    ({"prompt": "x", "image": "data:image/png,x"}, "image 1 is no data URL in base64"),
    ({"prompt": "x", "image": "data:image/png;base64,AAAA"}, "no PNG, JPEG, GIF or WebP"),
]
"""Bodies, and a part of the message of their refusal."""


def test_what_cannot_be_asked_is_refused_and_leaves_nothing(one_home: Home, face: TurnsFaceServer) -> None:
    os.mkfifo(one_home.project / "fifo")
    for body, message in WRONG:
        answer = face.client.post("/turns", json=body)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) in ((400, "bad_input"), (400, "bad_schema")), error
        assert message in error["message"], message
    assert one_home.turn_ids == []
    assert [each for each in one_home.processes() if not is_over(each)] == []


NOT_ALLOWED: list[tuple[Json, str]] = [
    ({"write": True}, "--write"),
    ({"sandbox": "danger-full-access"}, "--allow-raw-rpc"),
    ({"config": "model_provider=x"}, "--allow-raw-rpc"),
    ({"notify": "touch /tmp/x"}, "--allow-raw-rpc"),
    ({"cwd": "/"}, "`serve --cwd DIR` names it"),
    ({"server": "ws://127.0.0.1:1"}, "--allow-raw-rpc"),
]
"""Members of bodies, and the flag of `serve` that allows them."""


def test_what_the_owner_did_not_allow_is_refused_with_the_flag_that_allows_it(
    one_home: Home, face: TurnsFaceServer
) -> None:
    for body, flag in NOT_ALLOWED:
        error = error_of(face.client.post("/turns", json={"prompt": "x", **body}), 403, "not_allowed")
        assert error["message"].endswith(flag), body
    assert one_home.turn_ids == []


def test_the_sandbox_of_config_json_is_for_its_owner_and_writing_is_asked_for(one_home: Home, serve: Serve) -> None:
    one_home.model([say("One."), say("Two.")])
    one_home.configure(sandbox="danger-full-access")
    make_repository(one_home.project)
    face = serve(may_write=True)
    for body, sandbox in (({}, "read-only"), ({"write": True}, "workspace-write")):
        started = face.client.post("/turns", json={"prompt": "x", **body})
        assert started.status_code == 201, started.text
        assert face.ended(started.json()["turn_id"])["sandbox"] == sandbox


def test_a_thread_that_works_elsewhere_or_is_being_written_is_not_gone_on_with(
    one_home: Home, face: TurnsFaceServer
) -> None:
    elsewhere, (busy, _) = hold(one_home, cwd="/"), one_home.start_held()
    for more in ({}, {"cwd": "."}, {"cwd": ".", "fork": True}):
        body = {"prompt": "x", **more}
        error_of(face.client.post(f"/turns/{elsewhere.id}/continue", json=body), 403, "not_allowed")
    error = error_of(face.client.post(f"/turns/{busy.id}/continue", json={"prompt": "x"}), 409, "thread_busy")
    assert busy.id in error["message"]
    ephemeral = {"prompt": "x", "ephemeral": True}
    error_of(face.client.post(f"/turns/{busy.id}/continue", json=ephemeral), 400, "bad_input")
    assert sorted(one_home.turn_ids) == sorted([elsewhere.id, busy.id])


def test_a_turn_that_may_do_more_than_callers_is_not_gone_on_with(one_home: Home, serve: Serve) -> None:
    turn = hold(one_home, sandbox=Sandbox.WORKSPACE_WRITE)
    finish(turn)
    reading, writing = serve(), serve(may_write=True)
    for more in ({}, {"fork": True}):
        answer = reading.client.post(f"/turns/{turn.id}/continue", json={"prompt": "x", **more})
        assert error_of(answer, 403, "not_allowed")["message"].endswith("without --write")
    assert one_home.turn_ids == [turn.id]
    one_home.model([say("Two.")])
    second = writing.client.post(f"/turns/{turn.id}/continue", json={"prompt": "x", "fork": True})
    assert second.status_code != 403, second.text


@pytest.mark.full
def test_a_turn_that_worked_in_a_worktree_counts_as_of_where_it_was_started(one_home: Home, serve: Serve) -> None:
    one_home.model([say("One."), say("Two.")])
    one_home.project.rmdir()
    Repository(one_home.project, {"sub/a.txt": "one\n"})
    face, below = serve(may_write=True), serve(may_write=True, cwd=str(one_home.project / "sub"))
    body = {"prompt": "x", "write": True, "worktree": True}
    error_of(below.client.post("/turns", json=body), 403, "not_allowed")
    first = face.client.post("/turns", json=body).json()["turn_id"]
    assert face.ended(first)["cwd"] == str(one_home.path.resolve() / "worktrees" / first)
    second = face.client.post(f"/turns/{first}/continue", json={"prompt": "y", "write": True})
    assert second.status_code == 201, second.text
    assert face.ended(second.json()["turn_id"])["state"] == "complete"
    elsewhere = serve(may_write=True, cwd=str(one_home.path))
    error_of(elsewhere.client.post(f"/turns/{first}/continue", json={"prompt": "y"}), 403, "not_allowed")


def test_no_caller_fills_the_machine_with_turns_that_wait(
    one_home: Home, face: TurnsFaceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starter, "MOST_TURNS", 1)
    gate = Gate()
    one_home.model([say(FIRST_HALF, hold_at(gate), "rest"), say("Two.")])
    bodies = [{"prompt": "x", "once": f"k {n}"} for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = [*pool.map(lambda body: face.client.post("/turns", json=body), bodies)]
    assert sorted(each.status_code for each in answers) == [201, 429, 429, 429]
    at = next(n for n, answer in enumerate(answers) if answer.is_success)
    first = answers[at].json()["turn_id"]
    assert face.client.post("/turns", json=bodies[at]).json()["turn_id"] == first
    refused = face.client.post("/turns", json={"prompt": "y"})
    error_of(refused, 429, "gateway_busy")
    assert refused.headers["retry-after"] == "5"
    gate.open()
    face.ended(first)
    again = iter(lambda: face.client.post("/turns", json={"prompt": "y"}), None)
    second = wait_until(lambda: next(again).json().get("turn_id"), what="room")
    assert face.ended(second)["state"] == "complete"
    assert len(one_home.turn_ids) == 2
