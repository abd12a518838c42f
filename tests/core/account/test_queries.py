"""The queries about an account and the result of each answer: every exchange as a table."""

from __future__ import annotations

from typing import Any

import pytest

from codex_server_cli.core.account import queries
from codex_server_cli.core.account.account import Account
from codex_server_cli.core.account.queries import LoginStart
from codex_server_cli.core.protocol.query import Listen
from codex_server_cli.errors import BusyError, CodexServerError, ErrorKind, NotLoggedInError
from tests.kit.cases import for_each
from tests.kit.queries import play

LOGIN = "0cd4a5f1-4def-4660-aabd-ddc5295a9f30"
URL = "https://auth.openai.com/oauth/authorize?state=x"
COMPLETED = "account/login/completed"
UPDATED = "account/updated"
NO_ROUTING = "workspace routing discovery failed"


def error(message: str, code: int = -32603) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def completed(success: bool, reason: str | None = None, login_id: str | None = LOGIN) -> dict[str, Any]:
    return {"method": COMPLETED, "params": {"loginId": login_id, "success": success, "error": reason}}


# --- who is logged in


def test_the_account_takes_one_question() -> None:
    wanted, account = play(queries.ask_account(refreshes=True), {"result": {"account": {"type": "apiKey"}}})
    assert wanted == [("account/read", {"refreshToken": True})]
    assert account == Account("api_key")


@for_each(("status", "mode"), [({"result": {"authMethod": "chatgpt"}}, "chatgpt"), (error("unknown variant"), None)])
def test_an_account_whose_details_are_unavailable_is_not_logged_out(status: dict[str, Any], mode: str | None) -> None:
    wanted, account = play(queries.ask_account(refreshes=False), error(NO_ROUTING), status)
    assert wanted[1] == ("getAuthStatus", {"includeToken": False, "refreshToken": False})
    assert account == Account(mode, unavailable=NO_ROUTING)
    assert not account.needs_login
    assert queries.problem_of(account) is None


def test_a_login_that_the_service_turns_away_is_a_problem() -> None:
    refused = Account("chatgpt", unavailable="workspace routing discovery unauthorized (401)")
    problem = queries.problem_of(refused)
    assert isinstance(problem, NotLoggedInError)
    assert "does not take this login any more: workspace routing" in problem.message
    assert queries.problem_of(Account("chatgpt")) is None


# --- limits, models, logging out


@for_each(
    ("message", "kind", "exit_code", "expected"),
    [
        ("codex account authentication required to read rate limits", ErrorKind.AUTH, 2, "only a ChatGPT login"),
        ("chatgpt authentication required to read rate limits", ErrorKind.AUTH, 2, "only a ChatGPT login"),
        ("failed to fetch codex rate limits: GET http://x failed: 401 Unauthorized", ErrorKind.AUTH, 2, "any more"),
        ("failed to fetch codex rate limits: error sending request for url (x)", ErrorKind.NETWORK, 1, "cannot reach"),
        ("something new", ErrorKind.BAD_REQUEST, 1, "Codex refused: something new"),
    ],
)
def test_refused_limits_say_what_is_missing(message: str, kind: ErrorKind, exit_code: int, expected: str) -> None:
    with pytest.raises(CodexServerError) as caught:
        play(queries.ask_limits(), error(message))
    assert (caught.value.kind, caught.value.exit_code) == (kind, exit_code)
    assert expected in caught.value.message
    assert caught.value.hint


def test_the_page_that_a_refusal_quotes_is_left_out() -> None:
    with pytest.raises(CodexServerError, match=r"403 Forbidden$"):
        play(queries.ask_limits(), error("failed to fetch: 403 Forbidden; content-type=text/html; body=<html>"))


def test_limits_are_asked_for_once() -> None:
    wanted, limits = play(queries.ask_limits(), {"result": {"rateLimits": {"limitId": "codex"}}})
    assert wanted == [("account/rateLimits/read", {})]
    assert [limit.limit_id for limit in limits] == ["codex"]


@for_each(
    ("thread_id", "reply", "provider"),
    [
        (None, {"config": {"model_provider": "p"}}, "p"),
        (None, {"config": {"model_provider": None}}, None),
        (None, {"config": []}, None),
        ("t", {"thread": {"modelProvider": "p"}}, "p"),
        ("t", {"thread": {"modelProvider": 1}}, None),
        ("t", {}, None),
    ],
)
def test_the_provider_is_the_threads_or_else_the_configurations(
    thread_id: str | None, reply: dict[str, Any], provider: str | None
) -> None:
    wanted, found = play(queries.ask_provider(thread_id), {"result": reply})
    params = {"threadId": "t", "includeTurns": False}
    assert wanted == [("thread/read", params) if thread_id is not None else ("config/read", {})]
    assert found == provider


def test_a_thread_that_codex_does_not_know_has_no_provider() -> None:
    with pytest.raises(CodexServerError, match="thread not loaded"):
        play(queries.ask_provider("t"), error("thread not loaded: t"))


def test_models_are_asked_for_page_by_page() -> None:
    pages: list[dict[str, Any]] = [
        {"result": {"data": [{"model": "a"}], "nextCursor": "1"}},
        {"result": {"data": [{"model": "b"}]}},
    ]
    wanted, models = play(queries.ask_models(), *pages)
    assert wanted == [
        ("model/list", {"includeHidden": True}),
        ("model/list", {"includeHidden": True, "cursor": "1"}),
    ]
    assert [model.name for model in models] == ["a", "b"]


def test_a_list_of_models_without_an_end_is_left_one_day() -> None:
    page = {"result": {"data": [{"model": "a"}], "nextCursor": "again"}}
    assert len(play(queries.ask_models(), *[page] * 50)[1]) == 50


def test_logging_out_is_one_call() -> None:
    assert play(queries.log_out(), {"result": {}})[0] == [("account/logout", {})]
    with pytest.raises(CodexServerError, match="Codex refused: no"):
        play(queries.log_out(), error("no"))


# --- logging in


@for_each(
    ("is_device", "params", "result", "started"),
    [
        (False, {"type": "chatgpt"}, {"loginId": LOGIN, "authUrl": URL}, LoginStart(LOGIN, URL)),
        (
            True,
            {"type": "chatgptDeviceCode"},
            {"loginId": LOGIN, "verificationUrl": URL, "userCode": "ABCD-1234"},
            LoginStart(LOGIN, URL, "ABCD-1234"),
        ),
    ],
)
def test_a_login_begins_with_a_page(
    is_device: bool, params: dict[str, Any], result: dict[str, Any], started: LoginStart
) -> None:
    wanted, found = play(queries.start_login(is_device=is_device), {"result": result})
    assert (wanted, found) == ([("account/login/start", params)], started)


@for_each("result", [{}, {"loginId": LOGIN}, {"authUrl": URL}, {"loginId": LOGIN, "authUrl": "file:///etc/passwd"}])
def test_a_login_without_a_page_that_a_browser_may_open_is_refused(result: dict[str, Any]) -> None:
    with pytest.raises(CodexServerError, match="named no page"):
        play(queries.start_login(is_device=False), {"result": result})


def test_taken_ports_are_told_with_the_way_around() -> None:
    taken = error("failed to start login server: Port 127.0.0.1:1457 is already in use")
    with pytest.raises(BusyError, match=r"Port 127\.0\.0\.1:1457 is already in use") as caught:
        play(queries.start_login(is_device=False), taken)
    assert "login --device" in caught.value.hint


def test_a_login_is_over_when_it_is_in_use() -> None:
    wanted, _ = play(queries.await_login(LOGIN), completed(True, login_id="another"), completed(True), {})
    assert [step.method for step in wanted if isinstance(step, Listen)] == [COMPLETED, COMPLETED, UPDATED]


@for_each(
    ("reason", "expected"),
    [
        ("Login server error: Sign-in failed: nope", "the login was not completed: Sign-in failed: nope"),
        ("Login was not completed", "the login was not completed: Login was not completed"),
        (None, "the login was not completed: Codex gave no reason"),
    ],
)
def test_a_login_that_failed_is_told_in_codex_words(reason: str | None, expected: str) -> None:
    with pytest.raises(NotLoggedInError) as caught:
        play(queries.await_login(LOGIN), completed(False, reason))
    assert caught.value.message == expected
    assert "codex-server login" in caught.value.hint


def test_a_login_that_is_never_completed_comes_to_an_end() -> None:
    with pytest.raises(NotLoggedInError, match="no login was completed within 20 minutes"):
        play(queries.await_login(LOGIN), {})


def test_a_key_goes_into_the_call_and_nowhere_else() -> None:
    wanted, _ = play(queries.log_in_with_key("sk-x"), {"result": {}}, completed(True, login_id=None), {})
    assert wanted[0] == ("account/login/start", {"type": "apiKey", "apiKey": "sk-x"})
    with pytest.raises(NotLoggedInError, match="no good"):
        play(queries.log_in_with_key("sk-x"), {"result": {}}, completed(False, "no good", None))


@for_each(
    ("reply", "was_waiting"),
    [({"result": {"status": "canceled"}}, True), ({"result": {"status": "notFound"}}, False), (error("no"), False)],
)
def test_a_login_is_cancelled_by_its_id(reply: dict[str, Any], was_waiting: bool) -> None:
    wanted, found = play(queries.cancel_login(LOGIN), reply)
    assert (wanted, found) == ([("account/login/cancel", {"loginId": LOGIN})], was_waiting)


# --- what decides who pays


def test_configuration_and_account_tell_who_pays() -> None:
    account = {"account": None, "requiresOpenaiAuth": False}
    wanted, found = play(
        queries.ask_terms("/project", "1"),
        {"result": {}},
        {"result": account},
        {"result": {"config": {"a": 1}}},
    )
    assert [step[0] for step in wanted] == ["initialize", "account/read", "config/read"]
    assert wanted[2] == ("config/read", {"cwd": "/project"})
    assert found == ({"a": 1}, account)


@for_each(
    ("status", "account"),
    [
        ({"result": {"authMethod": None, "requiresOpenaiAuth": True}}, {"requiresOpenaiAuth": True, "account": None}),
        (error("unknown variant"), {}),
    ],
)
@for_each("config", [error("invalid"), {"result": {"config": 7}}])
def test_what_codex_will_not_tell_of_that_is_empty(
    status: dict[str, Any], account: dict[str, Any], config: dict[str, Any]
) -> None:
    query = queries.ask_terms("/project", "1")
    _, found = play(query, {"result": {}}, error(NO_ROUTING), status, config)
    assert found == ({}, account)
