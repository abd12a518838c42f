"""From `initialize` to a running turn: what is sent when, and what keeps a turn from starting."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.model.request import Sandbox
from codex_server_cli.core.model.timers import LIMIT_MS, Timer
from codex_server_cli.core.model.turn import Phase, State
from codex_server_cli.core.result.outcome import Cause
from codex_server_cli.errors import ErrorKind
from tests.kit.cases import for_each
from tests.kit.dialogue import (
    COMPLETED,
    STARTED,
    THREAD,
    TURN,
    Dialogue,
    Json,
    delta,
    message_completed,
    message_started,
    notification,
    status_notification,
)

FULL_ACCESS = {"type": "dangerFullAccess"}


def _methods(talk: Dialogue) -> list[str]:
    return [message["method"] for message in talk.sent if "method" in message]


# --- the order of things


def test_it_begins_with_initialize_and_asks_for_the_experimental_api() -> None:
    talk = Dialogue()
    assert talk.sent == [
        {
            "id": 1,
            "method": "initialize",
            "params": {
                "clientInfo": {"name": "codex_server", "title": "codex-server", "version": "1.2.3"},
                "capabilities": {"experimentalApi": True},
            },
        }
    ]


CHECKS = ["account/read", "config/read", "configRequirements/read"]


@for_each("last", CHECKS[1:])
def test_the_thread_opens_once_configuration_and_requirements_are_known(last: str) -> None:
    talk = Dialogue().reply("initialize")
    assert _methods(talk) == ["initialize", "initialized", *CHECKS]
    talk.reply("config/read" if last != "config/read" else "configRequirements/read")
    assert _methods(talk)[-1] == CHECKS[-1]
    talk.reply(last)
    assert _methods(talk)[-1] == "thread/start"


def test_the_turn_waits_for_the_account_and_the_thread() -> None:
    for last in ("account/read", "thread/start"):
        talk = Dialogue("do it", model="gpt").reply("initialize")
        result: Json = {"requiresOpenaiAuth": False, "thread": {"id": THREAD}}
        talk.reply("thread/start" if last == "account/read" else "account/read", result)
        assert talk.requests("turn/start") == []
        talk.reply(last, result)
    (turn,) = talk.requests("turn/start")
    assert (turn["threadId"], turn["input"], turn["model"]) == (THREAD, [{"type": "text", "text": "do it"}], "gpt")


@for_each(
    ("asked", "method"),
    [
        ({}, "thread/start"),
        ({"thread_id": "t"}, "thread/resume"),
        ({"thread_id": "t", "is_fork": True}, "thread/fork"),
    ],
)
def test_each_way_to_open_a_thread_leads_to_the_turn(asked: dict[str, Any], method: str) -> None:
    talk = Dialogue(**asked).started(method=method)
    assert talk.requests("turn/start")[0]["threadId"] == THREAD
    talk.receive(COMPLETED)
    assert talk.outcome.state is State.COMPLETE


def test_the_prompt_may_hold_anything() -> None:
    prompt = "a\nb\u2028c\x85d\ud800 \x00 ü"
    assert Dialogue(prompt).opened().requests("turn/start")[0]["input"][0]["text"] == prompt


def test_ids_of_requests_do_not_repeat() -> None:
    ids = [message["id"] for message in Dialogue().started().sent if "id" in message]
    assert ids == sorted(set(ids))


def test_the_record_tells_how_far_it_has_come() -> None:
    talk = Dialogue()
    assert talk.session.record.phase is Phase.STARTING
    talk.started()
    record = talk.session.record
    assert (record.thread_id, record.turn_id, record.phase) == (THREAD, TURN, Phase.THINKING)
    assert record.codex.version == "0.169.0"
    assert talk.session.next_seq == talk.events.count(b"\n")


# --- the account


def test_a_chatgpt_login_may_run() -> None:
    account = {"account": {"type": "chatgpt"}, "requiresOpenaiAuth": True}
    assert not Dialogue().started(account=account).has_ended


@for_each("account", [None, {"type": "apiKey"}])
def test_without_a_chatgpt_login_nothing_is_started(account: Json | None) -> None:
    talk = Dialogue().opened(account={"account": account, "requiresOpenaiAuth": True})
    assert (talk.kind, talk.outcome.state) == (ErrorKind.AUTH, State.FAILED)
    assert talk.requests("turn/start") == []


def test_an_api_key_may_run_where_the_user_allows_it() -> None:
    account = {"account": {"type": "apiKey"}, "requiresOpenaiAuth": True}
    assert not Dialogue(may_bill_api_key=True).started(account=account).has_ended


@for_each(("mode", "may_run"), [("chatgpt", True), ("apikey", False), (None, False)])
def test_where_the_account_cannot_be_read_the_mode_of_the_login_decides(mode: str | None, may_run: bool) -> None:
    """`account/read` needs the workspace, and fails without the network."""
    talk = Dialogue().reply("initialize").reply("account/read", error={"code": -32603, "message": "internal"})
    talk.reply("config/read", {"config": {}}).reply("thread/start", {"thread": {"id": THREAD}})
    assert talk.requests("turn/start") == []
    talk.reply("getAuthStatus", {"authMethod": mode, "requiresOpenaiAuth": True})
    assert len(talk.requests("turn/start")) == int(may_run)
    assert may_run or talk.kind is ErrorKind.AUTH


def test_where_codex_tells_of_no_account_at_all_nothing_is_billed() -> None:
    talk = Dialogue().reply("initialize").reply("config/read", {"config": {"model_provider": "built-in"}})
    talk.reply("thread/start", {"thread": {"id": THREAD}, "modelProvider": "built-in"})
    for _ in range(2):  # another app-server may know
        talk.reply("account/read", error={"code": -32603, "message": "internal"})
        talk.reply("getAuthStatus", error={"code": -32600, "message": "unknown variant"})
        talk.reply("initialize").reply("config/read", {"config": {"model_provider": "built-in"}})
        talk.reply("thread/start", {"thread": {"id": THREAD}, "modelProvider": "built-in"})
    assert (talk.kind, talk.requests("turn/start")) == (ErrorKind.AUTH, [])


# --- refusals and silence


@for_each(
    ("method", "error", "kind"),
    [
        ("initialize", {"code": -32600, "message": "Invalid request: unknown variant `x`"}, ErrorKind.PROTOCOL),
        ("thread/start", {"code": -32600, "message": "failed to load configuration: …"}, ErrorKind.BAD_INPUT),
        ("thread/start", "odd", ErrorKind.BAD_REQUEST),
        ("turn/start", {"code": -32602, "message": "Input exceeds the maximum …"}, ErrorKind.BAD_INPUT),
        ("turn/start", {"code": -32600, "message": "thread not found: x"}, ErrorKind.THREAD_MISSING),
    ],
)
def test_a_refused_request_ends_the_turn_with_its_reason(method: str, error: Any, kind: ErrorKind) -> None:
    talk = Dialogue()
    if method != "initialize":
        talk.reply("initialize")
    if method == "turn/start":
        talk.checked().reply("thread/start", {"thread": {"id": THREAD}})
    talk.reply(method, error=error)
    assert talk.kind is kind
    assert talk.outcome.error is not None
    assert talk.outcome.error.message.startswith(f"Codex refused {method}: ")


@for_each(
    ("method", "message", "kind"),
    [
        ("thread/resume", "no rollout found for thread id t", ErrorKind.THREAD_MISSING),
        ("thread/fork", "session t is archived. Run `codex unarchive t`", ErrorKind.THREAD_MISSING),
    ],
)
def test_a_thread_that_cannot_be_had_ends_the_turn(method: str, message: str, kind: ErrorKind) -> None:
    talk = Dialogue(thread_id="t", is_fork=method == "thread/fork").reply("initialize")
    if method == "thread/resume":
        talk.queue_empty()
    talk.reply(method, error={"code": -32600, "message": message})
    assert talk.kind is kind


@for_each("stage", ["initialize", *CHECKS, "thread/start", "turn/start"])
def test_a_request_without_a_reply_times_out(stage: str) -> None:
    talk = Dialogue()
    for other in ("initialize", *CHECKS, "thread/start"):
        if other != stage and talk.requests(other):
            talk.reply(other, {"thread": {"id": THREAD}, "requiresOpenaiAuth": False})
    talk.advance(LIMIT_MS[Timer.REQUEST] - 1)
    assert not talk.has_ended
    talk.advance(1)
    assert talk.kind is ErrorKind.PROTOCOL
    assert talk.outcome.error is not None
    assert talk.outcome.error.message == f"Codex did not answer {stage} within 60 s."


SLOW = {"mcp_servers": {"slow": {"command": "x", "required": True, "startup_timeout_sec": 120.0}}}


@for_each(
    ("asked", "method"),
    [
        ({}, "thread/start"),
        ({"thread_id": "t"}, "thread/resume"),
        ({"thread_id": "t", "is_fork": True}, "thread/fork"),
        ({}, "turn/start"),
    ],
)
def test_what_waits_for_required_tool_servers_may_take_as_long_as_they_may(asked: dict[str, Any], method: str) -> None:
    talk = Dialogue(**asked).reply("initialize").checked(config=SLOW)
    if method == "thread/resume":
        talk.queue_empty()
    if method == "turn/start":
        talk.reply("thread/start", {"thread": {"id": THREAD}})
    talk.advance(120_000 + LIMIT_MS[Timer.REQUEST] - 1)
    assert (talk.has_ended, talk.session.record.phase) == (False, Phase.STARTING)
    assert talk.advance(1).kind is ErrorKind.PROTOCOL
    assert talk.outcome.error is not None
    assert talk.outcome.error.message == f"Codex did not answer {method} within 180 s."


def test_a_tool_server_that_may_take_an_hour_is_no_stall() -> None:
    server = {"required": True, "startup_timeout_ms": 3_600_000}
    talk = Dialogue().reply("initialize").checked(config={"mcp_servers": {"slow": server}}).advance(3_600_000)
    assert not talk.has_ended
    talk.reply("thread/start", {"thread": {"id": THREAD}}).reply("turn/start", {"turn": {"id": TURN}})
    assert talk.receive(STARTED).advance(LIMIT_MS[Timer.STALL]).requests("thread/turns/list")


@for_each("overrides", ["config", "profile_config"])
def test_a_tool_server_of_the_turns_own_is_waited_for_too(overrides: str) -> None:
    config: Json = {"mcp_servers.mine.required": True, "mcp_servers.mine.startup_timeout_sec": 300}
    request: dict[str, Any] = {overrides: config}
    talk = Dialogue(**request).reply("initialize").checked().advance(300_000)
    assert not talk.has_ended


def test_a_slow_start_can_be_cancelled_and_has_a_deadline() -> None:
    for talk in (Dialogue(), Dialogue(deadline_s=90)):
        talk.reply("initialize").checked(config=SLOW).advance(89_999)
        assert not talk.has_ended
    assert talk.advance(1).kind is ErrorKind.DEADLINE
    cancelled = Dialogue().reply("initialize").checked(config=SLOW).advance(100_000).stop()
    assert cancelled.outcome.state is State.CANCELLED


def test_what_no_tool_server_keeps_is_not_waited_for_longer() -> None:
    talk = Dialogue().reply("initialize").reply("config/read", {"config": SLOW})
    talk.reply("thread/start", {"thread": {"id": THREAD}}).advance(LIMIT_MS[Timer.REQUEST])
    assert talk.outcome.error is not None
    assert talk.outcome.error.message == "Codex did not answer account/read within 60 s."


@for_each("thread", [None, "id", {}, {"id": 5}, {"id": ""}])
def test_a_thread_reply_without_a_thread_starts_nothing_and_fails_at_once(thread: Any) -> None:
    talk = Dialogue().reply("initialize").reply("account/read").reply("thread/start", {"thread": thread})
    assert talk.requests("turn/start") == []
    assert talk.outcome.error is not None
    assert (talk.kind, talk.outcome.error.message) == (
        ErrorKind.PROTOCOL,
        "Codex's reply to thread/start names no thread.",
    )


def test_a_reply_to_nothing_of_ours_changes_nothing() -> None:
    talk = Dialogue().started()
    before = len(talk.sent)
    talk.receive({"id": 99, "result": {}}, {"id": "x", "error": {"code": 1, "message": "m"}}, {"id": 1, "result": {}})
    assert (len(talk.sent), talk.has_ended) == (before, False)


def test_a_result_that_is_no_object_reads_as_empty() -> None:
    talk = Dialogue().receive({"id": 1, "result": None})
    assert _methods(talk)[-1] == "configRequirements/read"


# --- messages before the reply to `turn/start`


def test_what_comes_before_the_reply_is_not_lost() -> None:
    talk = Dialogue().opened()
    talk.receive(status_notification("active"), STARTED, message_started(), delta("Hel"))
    assert (talk.text, talk.session.record.phase) == ("", Phase.STARTING)
    talk.reply("turn/start", {"turn": {"id": TURN}})
    assert (talk.text, talk.session.record.phase) == ("Hel", Phase.ANSWERING)
    talk.receive(delta("lo"), message_completed("Hello"), COMPLETED)
    assert (talk.outcome.answer, talk.text) == ("Hello", "Hello\n")


def test_a_turn_that_is_over_before_the_reply_is_complete_with_it() -> None:
    talk = Dialogue().opened().receive(STARTED, message_completed("Hello"), COMPLETED)
    assert not talk.has_ended
    talk.reply("turn/start", {"turn": {"id": TURN}})
    assert (talk.outcome.state, talk.outcome.answer, talk.text) == (State.COMPLETE, "Hello", "Hello\n")


def test_a_turn_whose_reply_never_comes_goes_on_by_what_started_it() -> None:
    talk = Dialogue().opened().receive(STARTED, message_started(), delta("Hel"))
    talk.advance(LIMIT_MS[Timer.REQUEST])
    assert (talk.has_ended, talk.text) == (False, "Hel")
    talk.receive(delta("lo"), message_completed("Hello"), COMPLETED)
    assert (talk.outcome.state, talk.outcome.answer, talk.text) == (State.COMPLETE, "Hello", "Hello\n")


def test_a_turn_that_is_over_without_its_reply_is_complete_in_the_end() -> None:
    talk = Dialogue().opened().receive(STARTED, message_completed("Hello"), COMPLETED)
    talk.advance(LIMIT_MS[Timer.REQUEST])
    assert (talk.outcome.state, talk.outcome.answer) == (State.COMPLETE, "Hello")


def test_a_reply_that_comes_too_late_changes_nothing() -> None:
    talk = Dialogue().opened().receive(STARTED, message_started(), delta("Hel"))
    talk.advance(LIMIT_MS[Timer.REQUEST]).reply("turn/start", {"turn": {"id": TURN}})
    talk.receive(delta("lo"), message_completed("Hello"), COMPLETED)
    assert talk.text == "Hello\n"


def test_a_stop_that_finds_no_reply_keeps_what_had_come() -> None:
    talk = Dialogue().opened().receive(STARTED, message_started(), delta("Hel")).stop(Cause.DEADLINE)
    talk.advance(LIMIT_MS[Timer.STOP])
    assert (talk.kind, talk.outcome.answer, talk.text) == (ErrorKind.DEADLINE, "Hel", "Hel")


# --- the effective policy


@for_each("method", ["thread/start", "thread/resume"])
def test_a_thread_opened_wider_than_asked_starts_no_turn(method: str) -> None:
    talk = Dialogue(thread_id="t" if method == "thread/resume" else None)
    talk.opened(method=method, sandbox=FULL_ACCESS)
    assert (talk.kind, talk.requests("turn/start")) == (ErrorKind.SANDBOX, [])


def test_a_turn_whose_policy_turns_out_wider_is_interrupted_and_fails() -> None:
    talk = (
        Dialogue()
        .started()
        .receive(notification("thread/settings/updated", threadSettings={"sandboxPolicy": FULL_ACCESS}))
    )
    assert talk.requests("turn/interrupt") == [{"threadId": THREAD, "turnId": TURN}]
    talk.receive(notification("warning", message="still there"), {"method": "turn/completed", "params": {}})
    talk.receive(message_completed("done all the same"), COMPLETED)
    assert (talk.kind, talk.outcome.state) == (ErrorKind.SANDBOX, State.FAILED)
    assert talk.outcome.answer == "done all the same"


def test_a_turn_too_wide_that_does_not_react_ends_all_the_same() -> None:
    talk = (
        Dialogue()
        .started()
        .receive(notification("thread/settings/updated", threadSettings={"sandboxPolicy": FULL_ACCESS}))
    )
    talk.advance(LIMIT_MS[Timer.STOP])
    assert talk.kind is ErrorKind.SANDBOX


def test_a_turn_too_wide_fails_even_where_it_was_over_before_its_reply() -> None:
    settings = notification("thread/settings/updated", threadSettings={"sandboxPolicy": FULL_ACCESS})
    talk = Dialogue().opened().receive(settings, STARTED, message_completed("Hello"), COMPLETED)
    talk.reply("turn/start", {"turn": {"id": TURN}})
    assert talk.kind is ErrorKind.SANDBOX


def test_a_policy_as_asked_or_narrower_goes_on() -> None:
    talk = Dialogue(sandbox=Sandbox.DANGER_FULL_ACCESS).started()
    talk.receive(notification("thread/settings/updated", threadSettings={"sandboxPolicy": FULL_ACCESS}))
    assert not talk.has_ended
    assert talk.requests("turn/interrupt") == []
