"""The server alone: plain HTTP, no codex."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from codex_server_cli.demo.parts import Message
from codex_server_cli.demo.replies import cut_after, hold, reply, run_command, say
from codex_server_cli.demo.script import DEMO_ANSWER, DEMO_COMMAND, demo_script, words_script
from codex_server_cli.demo.scripted_model import FileGate, Gate, Request, ScriptedModel
from tests.kit.support import DEADLINE_S


def ask(model: ScriptedModel, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
    """One request; its status and whole body."""
    connection = http.client.HTTPConnection(model.origin.removeprefix("http://"), timeout=DEADLINE_S)
    try:
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        connection.request(method, path, data, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def user(text: str) -> dict[str, Any]:
    """A conversation with one user message."""
    return {"input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}]}


def test_replies_come_in_order_and_the_last_one_repeats() -> None:
    with ScriptedModel([say("one"), say("two")]) as model:
        answers = [ask(model, "POST", "/v1/responses", {})[1] for _ in range(3)]
        assert [b'"one"' in answers[0], b'"two"' in answers[1], b'"two"' in answers[2]] == [True] * 3
        assert [request.number for request in model.model_requests] == [1, 2, 3]


def test_a_function_answers_from_what_was_asked() -> None:
    with ScriptedModel(lambda request: say(request.prompt.upper())) as model:
        assert b'"SHOUT"' in ask(model, "POST", "/v1/responses", user("shout"))[1]


def test_a_defect_in_a_script_is_told_to_the_client() -> None:
    with ScriptedModel([]) as model:
        status, body = ask(model, "POST", "/v1/responses", {})
    assert status == 400
    assert b"the script failed: IndexError" in body


def test_every_request_is_recorded_with_its_decoded_body() -> None:
    with ScriptedModel([say("x")]) as model:
        ask(model, "POST", "/v1/responses?x=1", {"model": "m"}, Authorization="Bearer t")
        ask(model, "GET", "/v1/models")
        first, second = model.requests
        assert (first.method, first.path, first.body) == ("POST", "/v1/responses", {"model": "m"})
        assert first.headers["authorization"] == "Bearer t"
        assert (second.path, second.body, second.number) == ("/v1/models", None, 0)
        assert model.wait_for_requests(1, DEADLINE_S) == [first]


def test_a_zstandard_body_is_decoded_where_the_module_is_there() -> None:
    zstandard = pytest.importorskip("zstandard")
    with ScriptedModel([say("x")]) as model:
        packed = zstandard.ZstdCompressor().compress(b'{"a":1}')
        ask(model, "POST", "/v1/responses", packed, **{"Content-Encoding": "zstd"})
        assert model.model_requests[0].body == {"a": 1}


def test_waiting_for_a_request_that_never_comes_ends() -> None:
    with ScriptedModel([say("x")]) as model, pytest.raises(TimeoutError, match="0 of 1"):
        model.wait_for_requests(1, 0.01)


def test_account_paths_answer_and_can_be_taken_away() -> None:
    with ScriptedModel([say("x")]) as model:
        usage = json.loads(ask(model, "GET", "/backend-api/wham/usage")[1])
        assert usage["rate_limit"]["primary_window"]["limit_window_seconds"] == 18000
        model.wham_usage = model.wham_accounts = None
        assert ask(model, "GET", "/backend-api/wham/usage")[0] == 404
        assert ask(model, "GET", "/backend-api/wham/accounts/check")[0] == 404
        assert ask(model, "GET", "/nowhere")[0] == ask(model, "POST", "/nowhere", {})[0] == 404
        assert ask(model, "GET", "/v1/responses", Upgrade="websocket")[0] == 426


def test_a_held_reply_has_sent_everything_before_the_gate_and_nothing_after_it() -> None:
    gate = Gate()
    with ScriptedModel([say("before", hold(gate), "after")]) as model:
        connection = http.client.HTTPConnection(model.origin.removeprefix("http://"), timeout=DEADLINE_S)
        connection.request("POST", "/v1/responses", b"{}")
        response = connection.getresponse()
        gate.wait_until_reached(DEADLINE_S)
        while b'"before"' not in (line := response.readline()):
            assert line, "the stream ended before the gate"
        gate.open()
        assert b'"after"' in response.read()
        connection.close()


def test_closing_the_model_opens_its_gates() -> None:
    gate = Gate()
    with ScriptedModel([say(hold(gate), "x")]) as model:
        host, port = model.origin.removeprefix("http://").split(":")
        client = socket.create_connection((host, int(port)), DEADLINE_S)
        client.sendall(b"POST /v1/responses HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}")
        gate.wait_until_reached(DEADLINE_S)
    assert gate.opened.is_set()
    client.close()


def test_a_client_that_hangs_up_disturbs_no_other(capfd: pytest.CaptureFixture[str]) -> None:
    gate = Gate()
    with ScriptedModel([say(hold(gate), "x" * 1_000_000, chunks=10)]) as model:
        host, port = model.origin.removeprefix("http://").split(":")
        client = socket.create_connection((host, int(port)), DEADLINE_S)
        client.sendall(b"POST /v1/responses HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}")
        gate.wait_until_reached(DEADLINE_S)
        client.close()
        gate.open()
        assert ask(model, "GET", "/v1/models")[0] == 200
    assert capfd.readouterr().err == ""


def test_a_cut_closes_the_connection_before_completion() -> None:
    with ScriptedModel([cut_after("Hel")]) as model:
        body = ask(model, "POST", "/v1/responses", {})[1]
    assert b'"Hel"' in body
    assert b"response.completed" not in body


def test_a_file_gate_holds_until_its_file_exists(tmp_path: Path) -> None:
    gate = FileGate(tmp_path / "gate")
    with ScriptedModel([say(hold(gate), "x")]) as model:
        host, port = model.origin.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), DEADLINE_S) as client:
            client.sendall(b"POST /v1/responses HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}")
            gate.wait_until_reached(DEADLINE_S)
            assert (tmp_path / "gate.reached").exists()
            gate.open()
            with client.makefile("rb") as stream:
                assert b"response.completed" in stream.read()


def test_closing_the_model_lets_a_file_gate_go_without_its_file(tmp_path: Path) -> None:
    gate = FileGate(tmp_path / "gate")
    with ScriptedModel([say(hold(gate), "x")]) as model:
        host, port = model.origin.removeprefix("http://").split(":")
        client = socket.create_connection((host, int(port)), DEADLINE_S)
        client.sendall(b"POST /v1/responses HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}")
        gate.wait_until_reached(DEADLINE_S)
    with client, client.makefile("rb") as stream:
        assert b"response.completed" in stream.read()
    assert not gate.path.exists()


def test_the_demo_script_runs_a_command_before_it_answers() -> None:
    script = demo_script()
    start = Request("POST", "/v1/responses", {}, user("hi"))
    assert run_command(DEMO_COMMAND) in script(start).parts
    outcome = {"type": "function_call_output", "call_id": "c", "output": "hello"}
    follow_up = Request("POST", "/v1/responses", {}, {"input": [*user("hi")["input"], outcome]})
    assert follow_up.tool_outputs == {"c": "hello"}
    (message,) = script(follow_up).parts
    assert isinstance(message, Message)
    assert message.text == "".join(DEMO_ANSWER)


@pytest.mark.parametrize(
    ("prompt", "pieces"), [("3", ("alpha ", "beta ", "gamma ")), ("say it back", ("say ", "it ", "back "))]
)
def test_the_word_script_counts_or_echoes(prompt: str, pieces: tuple[str, ...]) -> None:
    assert words_script()(Request("POST", "/v1/responses", {}, user(prompt))) == reply(say(*pieces))


@pytest.mark.parametrize("end", ["stdin", "sigterm"])
def test_the_model_runs_alone_until_it_is_told_to_stop(tmp_path: Path, end: str) -> None:
    script = tmp_path / "script.py"
    script.write_text("from codex_server_cli.demo.replies import say\nscript = [say('mine')]\n")
    port_file = tmp_path / "port"
    command = [sys.executable, "-m", "codex_server_cli.demo", "--script", str(script), "--port-file", str(port_file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        announced = json.loads(process.stdout.readline())
        assert json.loads(port_file.read_text()) == announced
        assert announced["base_url"] == announced["origin"] + "/v1"
        if end == "stdin":
            process.stdin.close()
        else:
            process.terminate()
        assert process.wait(DEADLINE_S) == 0
