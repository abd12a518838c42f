"""A real MCP server sends requests through Codex: for its tools' calls, and its own. Both codex versions."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from codex_server_cli.demo.parts import ToolCall
from codex_server_cli.demo.replies import call, say
from tests.kit.escalations import ASK, pending, replies_of, wait_for_request
from tests.kit.faults import shorten_requests
from tests.kit.home import Home, nap, sleepers
from tests.kit.support import wait_until

SERVER = Path(__file__).parent.parent / "fakes" / "mcp_server.py"
CONFIG = f"[mcp_servers.fake]\ncommand = {json.dumps(sys.executable)}\nargs = [{json.dumps(str(SERVER))}]\n"


def tool(name: str, call_id: str, **arguments: str) -> ToolCall:
    """A call of a tool of the fake server."""
    return call(name, arguments, namespace="mcp__fake", call_id=call_id)


def test_a_tool_is_called_once_it_is_approved_and_for_the_session_not_asked_about_again(home: Home) -> None:
    calls = tool("greet", "c1", whom="Bob"), tool("greet", "c2", whom="Eve")
    model = home.model([*calls, say("Done.")], extra_toml=CONFIG)
    turn = home.start("new", "hi", *ASK)
    request = wait_for_request(home, turn)
    assert (request["kind"], request["server"], request["arguments"]) == ("mcp_tool", "fake", {"whom": "Bob"})
    assert 'run tool "greet"' in request["message"]
    assert request["tool"] in ("greet", None)  # 0.163.0 names it in the message alone
    assert '"greet"?\n│ with: {"whom": "Bob"}\n' in home.call("pending", turn.id).stdout
    assert home.run("approve", turn.id, "--session").code == 0
    assert turn.wait()["answer"] == "Done."
    reported = model.model_requests[2].tool_outputs
    assert ("Hello Bob" in str(reported["c1"]), "Hello Eve" in str(reported["c2"])) == (True, True)
    assert replies_of(turn) == [{"action": "accept", "content": {}, "_meta": {"persist": "session"}}]


def test_a_declined_tool_is_not_called(home: Home) -> None:
    model = home.model([tool("greet", "c1", whom="Bob"), say("Then not.")], extra_toml=CONFIG)
    turn = home.start("new", "hi", *ASK)
    wait_for_request(home, turn)
    home.run("decline", turn.id)
    assert turn.wait()["answer"] == "Then not."
    assert "rejected" in str(model.model_requests[1].tool_outputs["c1"])


def test_a_form_of_the_server_is_shown_as_questions_and_its_answers_get_their_types(home: Home) -> None:
    model = home.model([tool("ask", "c1"), say("Done.")], extra_toml=CONFIG)
    turn = home.start("new", "hi", *ASK)
    wait_for_request(home, turn)
    home.run("approve", turn.id)
    request = wait_for_request(home, turn, "1")
    assert (request["kind"], request["server"], request["message"]) == ("elicitation", "fake", "Tell me.")
    colour, count, places = request["questions"]
    assert [option["label"] for option in colour["options"]] == ["red", "blue"]
    assert (colour["isRequired"], count["isRequired"], count["type"]) == (True, False, "integer")
    assert [(option["label"], option["description"]) for option in places["options"]] == [
        ("Production", "prd-1"),
        ("Staging", "stg-1"),
    ]
    shown = home.call("pending", turn.id).stdout
    assert "│   1  red\n│   2  blue\n" in shown
    assert "│   (integer, minimum 1, may be left out)\n" in shown
    assert "│   2  Staging — stg-1\n│   (several, separated by commas, may be left out)\n" in shown
    for wrong in (["colour=green"], ["colour=red", "-a", "count=0"], ["size=3"], ["count=3"]):
        run = home.call("reply", turn.id, "1", "-a", *wrong)
        assert (run.code, [each["id"] for each in pending(home, turn)]) == (65, ["1"]), run
    places_said = ["-a", "places=staging", "-a", "places=prd-1"]
    assert home.run("reply", turn.id, "-a", "colour=blue", "-a", "count=3", *places_said).code == 0
    assert turn.wait()["answer"] == "Done."
    reported = {"action": "accept", "content": {"colour": "blue", "count": 3, "places": ["stg-1", "prd-1"]}}
    assert "blue" in str(model.model_requests[1].tool_outputs["c1"])
    assert replies_of(turn)[1] == {**reported, "_meta": None}


@pytest.mark.full
def test_a_declined_form_is_told_to_the_server(one_home: Home) -> None:
    model = one_home.model([tool("ask", "c1"), say("Done.")], extra_toml=CONFIG)
    turn = one_home.start("new", "hi", *ASK)
    wait_for_request(one_home, turn)
    one_home.run("approve", turn.id)
    wait_for_request(one_home, turn, "1")
    one_home.run("decline", turn.id)
    assert turn.wait()["answer"] == "Done."
    assert "decline" in str(model.model_requests[1].tool_outputs["c1"])


def slow_config(delay: str) -> str:
    """A server that Codex has to wait for, and may: for longer than for anything else."""
    script = f"{delay}; exec {sys.executable} {SERVER}"
    return (
        f'[mcp_servers.slow]\ncommand = "sh"\nargs = ["-c", {json.dumps(script)}]\n'
        "required = true\nstartup_timeout_sec = 120\n"
    )


@pytest.mark.full
def test_a_required_server_that_takes_longer_than_any_reply_is_waited_for(home: Home) -> None:
    shorten_requests(home, 100, "requests._AFTER_STARTUP")
    home.model([say("Done."), say("Again.")], extra_toml=slow_config("sleep 0.5"))
    turn = home.start("new", "hi")
    wait_until(lambda: turn.status()["phase"] == "starting", what="the start")
    assert turn.wait()["answer"] == "Done."
    again = home.start("continue", "--turn", turn.id, "go on")
    assert again.wait()["answer"] == "Again."


@pytest.mark.full
def test_a_turn_that_waits_for_a_server_can_be_cancelled_and_has_its_deadline(one_home: Home) -> None:
    one_home.model([say("Done.")], extra_toml=slow_config(nap(one_home)))
    turn = one_home.start("new", "hi")
    wait_until(lambda: sleepers(nap(one_home)), what="the server")
    assert one_home.run("cancel", turn.id).json["state"] == "cancelled"
    assert one_home.left_running() == []
    late = one_home.start("new", "hi", "--deadline", "1").wait()
    assert (late["state"], late["error"]["kind"]) == ("failed", "deadline")
    assert one_home.left_running() == []


def test_a_required_server_that_fails_is_told_in_codexs_words(one_home: Home) -> None:
    one_home.model([say("Done.")], extra_toml=slow_config("exit 3"))
    ended = one_home.start("new", "hi").wait()
    assert ended["state"] == "failed"
    assert "required MCP servers failed to initialize: slow" in ended["error"]["message"]
