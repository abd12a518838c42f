"""The scripted model under the real codex app-server, each binary in turn."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from codex_server_cli.demo.codex_home import write_chatgpt_login, write_custom_provider
from codex_server_cli.demo.parts import ReplyLike
from codex_server_cli.demo.replies import (
    apply_patch,
    bad_request,
    context_window,
    cut_after,
    hold,
    incomplete,
    overloaded,
    rate_limited,
    reason,
    reply,
    run_command,
    say,
    server_error,
    stream_failure,
    unauthorized,
    update_plan,
    usage_limit,
    web_search,
)
from codex_server_cli.demo.scripted_model import Gate, Script, ScriptedModel
from tests.kit.support import StdioAppServer, codex_env

WRITABLE = {
    "type": "workspaceWrite",
    "writableRoots": [],
    "networkAccess": False,
    "excludeTmpdirEnvVar": True,
    "excludeSlashTmp": True,
}


class Bench:
    """A script, a home and a project, ready to run turns."""

    def __init__(self, codex: Path, home: Path, project: Path) -> None:
        self.codex, self.home, self.project = codex, home, project

    def turn(
        self, script: Script, *, retries: int = 0, **params: Any
    ) -> tuple[dict[str, Any], StdioAppServer, ScriptedModel]:
        """Run one whole turn; its final `turn`, and what the server and the model saw."""
        with ScriptedModel(script) as model:
            write_custom_provider(self.home, model.base_url, stream_max_retries=retries)
            with StdioAppServer(self.codex, self.home) as server:
                turn = server.run_turn(server.start_thread(self.project), **params)
        return turn, server, model


@pytest.fixture
def bench(codex: Path, codex_home: Path, project: Path) -> Bench:
    return Bench(codex, codex_home, project)


def test_a_turn_streams_its_text_and_counts_its_tokens(bench: Bench) -> None:
    turn, server, model = bench.turn([say("Hello", ", ", "world")])
    assert turn["status"] == "completed"
    assert [item["text"] for item in server.items("agentMessage")] == ["Hello, world"]
    assert [delta["delta"] for delta in server.of("item/agentMessage/delta")] == ["Hello", ", ", "world"]
    last = server.of("thread/tokenUsage/updated")[-1]["tokenUsage"]["last"]
    assert (last["inputTokens"], last["cachedInputTokens"], last["outputTokens"]) == (100, 40, 20)
    assert model.model_requests[0].prompt == "go"


def test_a_command_runs_and_its_output_comes_back_to_the_model(bench: Bench) -> None:
    turn, server, model = bench.turn([run_command("echo round trip", call_id="c1"), say("done")])
    assert turn["status"] == "completed"
    (command,) = server.items("commandExecution")
    assert (command["id"], command["exitCode"]) == ("c1", 0)
    assert model.model_requests[1].is_follow_up
    assert "round trip" in model.model_requests[1].tool_outputs["c1"]


def test_a_patch_is_applied_under_workspace_write(bench: Bench) -> None:
    patch = '*** Begin Patch\n*** Add File: hello.txt\n+it\'s "here"\n*** End Patch'
    turn, server, _ = bench.turn([apply_patch(patch), say("done")], sandboxPolicy=WRITABLE)
    assert turn["status"] == "completed"
    assert (bench.project / "hello.txt").read_text() == 'it\'s "here"\n'
    (change,) = server.items("fileChange")
    assert [entry["kind"]["type"] for entry in change["changes"]] == ["add"]


def test_reasoning_plans_and_searches_show_as_such(bench: Bench) -> None:
    turn, server, _ = bench.turn(
        [reply(reason("think"), update_plan(("look", "in_progress"))), reply(web_search("cats"), say("done"))]
    )
    assert turn["status"] == "completed"
    assert server.items("reasoning")[0]["summary"] == ["think"]
    assert server.of("turn/plan/updated")[0]["plan"] == [{"step": "look", "status": "inProgress"}]
    assert server.items("webSearch")[0]["query"] == "cats"


def test_an_escalated_command_asks_and_the_driver_declines(bench: Bench) -> None:
    script: Script = [run_command("touch made", escalated=True, justification="please"), say("done")]
    _, server, _ = bench.turn(script, approvalPolicy="on-request")
    (question,) = server.server_requests
    assert question["method"] == "item/commandExecution/requestApproval"
    assert question["params"]["reason"] == "please"
    assert not (bench.project / "made").exists()


def test_a_held_gate_holds_the_deltas_behind_it(bench: Bench) -> None:
    gate = Gate()
    with ScriptedModel([say("before", hold(gate), "after")]) as model:
        write_custom_provider(bench.home, model.base_url)
        with StdioAppServer(bench.codex, bench.home) as server:
            server.start_turn(server.start_thread(bench.project))
            gate.wait_until_reached()
            server.wait_for("item/agentMessage/delta", delta="before")
            assert [delta["delta"] for delta in server.of("item/agentMessage/delta")] == ["before"]
            gate.open()
            server.wait_for("turn/completed")
            assert [delta["delta"] for delta in server.of("item/agentMessage/delta")] == ["before", "after"]


@pytest.mark.parametrize(
    ("failure", "info"),
    [
        (usage_limit(), "usageLimitExceeded"),
        (rate_limited(), {"responseTooManyFailedAttempts": {"httpStatusCode": 429}}),
        (overloaded(), "serverOverloaded"),
        (context_window(), "contextWindowExceeded"),
        (unauthorized(), {"httpConnectionFailed": {"httpStatusCode": 401}}),
        (bad_request("no"), "other"),
        (server_error(), "internalServerError"),
        (incomplete("max_output_tokens"), "other"),
        (stream_failure("rate_limit_exceeded", "slow down"), "rateLimitExceeded"),
        (cut_after("Hel"), "other"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
@pytest.mark.full
def test_every_failure_gives_the_error_info_of_its_kind(bench: Bench, failure: ReplyLike, info: object) -> None:
    turn, _, model = bench.turn([failure])
    assert turn["status"] == "failed"
    assert turn["error"]["codexErrorInfo"] == info
    assert len(model.model_requests) == 1


def test_a_cut_answer_is_asked_for_again(bench: Bench) -> None:
    turn, server, model = bench.turn([cut_after("Hel"), say("Hello")], retries=1)
    assert turn["status"] == "completed"
    assert len(model.model_requests) == 2
    assert [item["text"] for item in server.items("agentMessage")] == ["Hello"]
    (error,) = server.of("error")
    assert error["willRetry"] is True


def test_chatgpt_mode_runs_a_turn_on_the_login_alone(bench: Bench) -> None:
    with ScriptedModel([say("hi")]) as model:
        write_chatgpt_login(bench.home, model.origin, email="someone@example.com")
        with StdioAppServer(bench.codex, bench.home) as server:
            account = server.request("account/read")["account"]
            limits = server.request("account/rateLimits/read")["rateLimits"]
            turn = server.run_turn(server.start_thread(bench.project))
        (request,) = model.model_requests
    assert turn["status"] == "completed"
    assert (account["type"], account["email"], account["planType"]) == ("chatgpt", "someone@example.com", "pro")
    assert limits["primary"] == {"usedPercent": 25, "windowDurationMins": 300, "resetsAt": 2_000_000_000}
    assert request.headers["authorization"].startswith("Bearer ey")
    assert request.headers["chatgpt-account-id"] == "acc-scripted"
    assert "sk-" not in str(request.headers)
    assert request.body["input"]


def test_chatgpt_mode_with_chosen_retries_fails_at_once(bench: Bench) -> None:
    with ScriptedModel([server_error()]) as model:
        write_chatgpt_login(bench.home, model.origin, request_max_retries=0)
        with StdioAppServer(bench.codex, bench.home) as server:
            turn = server.run_turn(server.start_thread(bench.project))
        assert turn["error"]["codexErrorInfo"] == "internalServerError"
        assert len(model.model_requests) == 1
        assert model.model_requests[0].headers["authorization"].startswith("Bearer ey")


def test_codex_believes_the_written_login(codex: Path, codex_home: Path) -> None:
    write_chatgpt_login(codex_home, "http://127.0.0.1:9")
    status = subprocess.run(
        [codex, "login", "status"], env=codex_env(codex_home), capture_output=True, text=True, check=False
    )
    assert status.returncode == 0
    assert "Logged in using ChatGPT" in status.stderr
