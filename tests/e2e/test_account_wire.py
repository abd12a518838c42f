"""The account requests on the wire, exactly as the app-server's documentation has them, with each real codex."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_server_cli.demo.codex_home import write_chatgpt_login
from codex_server_cli.demo.replies import say
from codex_server_cli.demo.scripted_model import ScriptedModel
from tests.fakes.issuer import ISSUER_ENV, USER_CODE, Issuer, login_ports
from tests.kit.support import DEADLINE_S, Json, StdioAppServer


def known(found: Json, *names: str) -> Json:
    """Only these members: later versions add some."""
    return {name: found.get(name) for name in names}


def test_an_api_key_login_and_the_logout(codex: Path, codex_home: Path) -> None:
    with StdioAppServer(codex, codex_home) as server:
        logged_out = server.request("account/read", {"refreshToken": False})
        assert known(logged_out, "account", "requiresOpenaiAuth") == {"account": None, "requiresOpenaiAuth": True}
        start = server.request("account/login/start", {"type": "apiKey", "apiKey": "sk-x"})
        assert start == {"type": "apiKey"}
        completed = server.wait_for("account/login/completed", DEADLINE_S, loginId=None)
        assert known(completed, "success", "error") == {"success": True, "error": None}
        server.wait_for("account/updated", DEADLINE_S, authMode="apikey")
        account = server.request("account/read", {"refreshToken": False})
        assert known(account, "account", "requiresOpenaiAuth") == {
            "account": {"type": "apiKey"},
            "requiresOpenaiAuth": True,
        }
        assert server.request("account/logout") == {}
        server.wait_for("account/updated", DEADLINE_S, authMode=None)


def test_a_chatgpt_login_that_is_cancelled(codex: Path, codex_home: Path) -> None:
    with login_ports(), StdioAppServer(codex, codex_home) as server:
        start = server.request("account/login/start", {"type": "chatgpt"})
        assert start["type"] == "chatgpt"
        assert "redirect_uri=http%3A%2F%2F" in start["authUrl"]
        login_id = start["loginId"]
        assert server.request("account/login/cancel", {"loginId": login_id}) == {"status": "canceled"}
        completed = server.wait_for("account/login/completed", DEADLINE_S, loginId=login_id)
        assert (completed["success"], bool(completed["error"])) == (False, True)
        assert server.request("account/login/cancel", {"loginId": login_id}) == {"status": "notFound"}


def test_a_device_code_login_and_the_limits_behind_it(
    codex: Path, codex_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedModel([say("done")]) as model, Issuer.of_login(codex_home, model.origin) as issuer:
        monkeypatch.setenv(ISSUER_ENV, issuer.url)
        issuer.has_agreed.set()
        with StdioAppServer(codex, codex_home) as server:
            start = server.request("account/login/start", {"type": "chatgptDeviceCode"})
            expected = {"type": "chatgptDeviceCode", "userCode": USER_CODE}
            assert known(start, "type", "userCode") == expected
            assert start["verificationUrl"].startswith(issuer.url)
            server.wait_for("account/login/completed", DEADLINE_S, loginId=start["loginId"], success=True)
            server.wait_for("account/updated", DEADLINE_S, authMode="chatgpt")
            account = server.request("account/read", {"refreshToken": True})["account"]
            assert known(account, "type", "email", "planType") == {
                "type": "chatgpt",
                "email": "user@example.com",
                "planType": "pro",
            }
            limits = server.request("account/rateLimits/read")["rateLimits"]
            windows = {"windowDurationMins": 300, "usedPercent": 25, "resetsAt": 2_000_000_000}
            assert limits["primary"] == windows
            assert limits["secondary"] == {**windows, "windowDurationMins": 10080, "usedPercent": 10}


def test_the_mode_is_known_without_the_network(codex: Path, codex_home: Path) -> None:
    write_chatgpt_login(codex_home, "http://127.0.0.1:9")
    with StdioAppServer(codex, codex_home) as server:
        found = server.request("getAuthStatus", {"includeToken": False, "refreshToken": False})
        assert known(found, "authMethod", "requiresOpenaiAuth") == {"authMethod": "chatgpt", "requiresOpenaiAuth": True}
