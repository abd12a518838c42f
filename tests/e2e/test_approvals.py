"""`--approval ask` and `auto`: what waits, which shell decides, and the effect. Both codex versions."""

from __future__ import annotations

import json
import time

import pytest

from codex_server_cli.demo.replies import Answer, apply_patch, call, reply, run_command, say
from codex_server_cli.demo.request import Request
from tests.kit.escalations import ASK, escalated, pending, replies_of, wait_for_request
from tests.kit.home import Home
from tests.kit.support import wait_until

PATCH = "*** Begin Patch\n*** Add File: note.txt\n+hello\n*** End Patch"


def test_an_escalated_command_waits_and_runs_once_it_is_approved_from_a_second_shell(home: Home) -> None:
    home.model([escalated(home), say("Done.")])
    turn = home.start("new", "hi", *ASK)
    run = home.run("wait", turn.id, "--until", "attention", "--timeout", "100")
    assert run.code == 5
    (request,) = run.json["pending"]
    assert (request["kind"], request["reason"]) == ("command", "to leave a mark")
    assert request["command"].endswith(f"'echo hello > {home.root}/mark'")
    assert request["cwd"] == str(home.project)
    assert run.stderr == f"Then: codex-server wait {turn.id} --until attention --timeout 100\n"
    assert f"│ $ {request['command']}\n" in home.run("pending").stdout
    assert [each["id"] for each in pending(home)] == [each["id"] for each in pending(home, turn)] == ["0"]
    status = turn.status()
    assert (status["state"], status["phase"], status["pending"][0]["id"]) == ("running", "waiting_approval", "0")
    assert not (home.root / "mark").exists()

    decided = home.run(*request["next"]["approve"].split()[1:])
    assert (decided.code, decided.json["decided"], decided.json["request"]["id"]) == (0, "approve", "0")
    assert turn.wait()["answer"] == "Done."
    assert (home.root / "mark").read_text() == "hello\n"
    assert replies_of(turn) == [{"decision": "accept"}]
    assert "[waiting for approval 0: " in turn.out
    assert pending(home) == pending(home, turn) == []
    assert home.run("pending").stdout == "Nothing waits for an answer.\n"
    assert home.run("wait", turn.id, "--until", "attention").code == 0


def test_a_declined_command_does_not_run_and_the_turn_goes_on(home: Home) -> None:
    model = home.model([escalated(home, call_id="c1"), say("Then not.")])
    turn = home.start("new", "hi", *ASK)
    wait_for_request(home, turn)
    assert home.run("decline", turn.id).json["decided"] == "decline"
    assert turn.wait()["answer"] == "Then not."
    assert not (home.root / "mark").exists()
    assert replies_of(turn) == [{"decision": "decline"}]
    assert "rejected" in str(model.model_requests[1].tool_outputs["c1"])


def test_an_unanswered_request_is_declined_when_its_time_is_over(home: Home) -> None:
    home.model([escalated(home), say("Nobody came.")])
    started = time.monotonic()
    turn = home.start("new", "hi", *ASK, "--approval-timeout", "2")
    assert turn.wait()["answer"] == "Nobody came."
    assert time.monotonic() - started >= 2
    assert not (home.root / "mark").exists()
    assert replies_of(turn) == [{"decision": "decline"}]


def test_what_is_approved_for_the_session_is_not_asked_again(home: Home) -> None:
    home.model([escalated(home), escalated(home), say("Done.")])
    turn = home.start("new", "hi", *ASK)
    wait_for_request(home, turn)
    assert home.run("approve", turn.id, "--session").code == 0
    assert turn.wait()["answer"] == "Done."
    assert replies_of(turn) == [{"decision": "acceptForSession"}]
    assert turn.out.count("→ exit 0") == 2


def test_a_patch_is_shown_with_its_diff_and_applied_once_it_is_approved(home: Home) -> None:
    home.model([apply_patch(PATCH), say("Done.")])
    turn = home.start("new", "hi", *ASK)
    request = wait_for_request(home, turn)
    (change,) = request["changes"]
    assert (request["kind"], change["path"], change["diff"]) == ("patch", str(home.project / "note.txt"), "hello\n")
    assert "│ +hello\n" in home.run("pending", turn.id).stdout
    assert not (home.project / "note.txt").exists()
    home.run("approve", turn.id, "0")
    assert turn.wait()["answer"] == "Done."
    assert (home.project / "note.txt").read_text() == "hello\n"


def test_a_patch_of_a_sub_agent_is_shown_with_its_diff_too(home: Home) -> None:
    def script(request: Request) -> Answer:
        reported = request.tool_outputs
        if request.prompt == "be my child":
            return reply(say("Child done.") if reported else apply_patch(PATCH))
        if "spawned" not in reported:
            return reply(call("spawn_agent", {"message": "be my child"}, namespace="multi_agent_v1", call_id="spawned"))
        if "waited" not in reported:
            targets = [json.loads(reported["spawned"])["agent_id"]]
            return reply(call("wait_agent", {"targets": targets}, namespace="multi_agent_v1", call_id="waited"))
        return reply(say("Done."))

    home.model(script)
    turn = home.start("new", "hi", *ASK)
    request = wait_for_request(home, turn)
    assert request["thread_id"] != turn.meta["thread_id"]
    assert [change["diff"] for change in request["changes"]] == ["hello\n"]
    home.run("approve", turn.id)
    assert turn.wait()["answer"] == "Done."
    assert (home.project / "note.txt").read_text() == "hello\n"


def test_permissions_are_granted_for_the_turn_as_they_were_asked_for(home: Home) -> None:
    outside = home.root / "outside"
    outside.mkdir()
    wanted = {"permissions": {"file_system": {"write": [str(outside)]}}, "reason": "to write there"}
    home.model([call("request_permissions", wanted), run_command(f"echo hello > {outside}/mark"), say("Done.")])
    turn = home.start("new", "hi", *ASK, "--config", "features.request_permissions_tool=true")
    request = wait_for_request(home, turn)
    assert (request["kind"], request["reason"]) == ("permissions", "to write there")
    assert str(outside) in home.run("pending", turn.id).stdout
    home.run("approve", turn.id)
    assert turn.wait()["answer"] == "Done."
    assert (outside / "mark").read_text() == "hello\n"
    assert replies_of(turn) == [{"permissions": request["permissions"], "scope": "turn"}]
    announced = [event["params"] for event in turn.events if event.get("method") == "thread/settings/updated"]
    policies = [each["threadSettings"]["sandboxPolicy"]["type"] for each in announced]
    assert set(policies) <= {"readOnly"}  # a grant is not announced as a wider sandbox


@pytest.mark.parametrize(("outcome", "is_run"), [("allow", True), ("deny", False)])
def test_codexs_own_reviewer_decides_without_us(home: Home, outcome: str, is_run: bool) -> None:
    verdict = {"risk_level": "low", "user_authorization": "high", "outcome": outcome, "rationale": "because"}

    def script(request: Request) -> Answer:
        if request.headers.get("x-openai-subagent") == "guardian":
            return reply(say(json.dumps(verdict)))
        return reply(say("Done.") if request.is_follow_up else escalated(home))

    home.model(script)
    turn = home.start("new", "hi", "--approval", "auto")
    assert turn.wait()["answer"] == "Done."
    assert (home.root / "mark").exists() is is_run
    assert replies_of(turn) == []
    assert ("Automatic approval review approved" in turn.out) is is_run
    assert ("Automatic approval review denied" in turn.out) is not is_run
    assert not (turn.path / "pending.json").exists()


def test_an_escalation_is_refused_if_the_turn_may_not_ask(home: Home) -> None:
    home.model([escalated(home), say("Then not.")])
    turn = home.start("new", "hi")
    assert turn.wait()["answer"] == "Then not."
    assert not (home.root / "mark").exists()
    assert replies_of(turn) == []


def test_a_cancel_ends_a_turn_that_waits(home: Home) -> None:
    home.model([escalated(home), say("Never.")])
    turn = home.start("new", "hi", *ASK)
    wait_for_request(home, turn)
    assert home.run("cancel", turn.id).json["state"] == "cancelled"
    assert pending(home) == pending(home, turn) == []
    assert home.run("approve", turn.id, "0").error["exit_code"] == 66
    wait_until(lambda: not home.app_servers(), what="the end of codex")
    assert not (home.root / "mark").exists()
