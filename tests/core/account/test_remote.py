"""The queries of remote control: every exchange as a table, and every refusal in words with the next step."""

from __future__ import annotations

from typing import Any

import pytest

from codex_server_cli.core.account import remote
from codex_server_cli.core.account.remote import PairingCode, RemoteClient, RemoteStatus
from codex_server_cli.core.account.remote_errors import error_of
from codex_server_cli.core.protocol.query import Ask, Listen
from codex_server_cli.core.protocol.rpc import Message
from codex_server_cli.errors import BusyError, CodexServerError, ErrorKind, Exit, NotFoundError, NotLoggedInError
from tests.kit.cases import for_each
from tests.kit.queries import play

READ: Ask = ("remoteControl/status/read", {})
LISTEN = Listen("remoteControl/status/changed", 9)
ON = RemoteStatus("connected", "here", "i-1", "env_1")
CODE = PairingCode("pair-1", "ABCD-EFGH", 2_000_000_000)
NOT_YET = "remote control pairing is unavailable until enrollment completes"
AT = "at `https://chatgpt.com/backend-api/wham/remote/control/server/x`"


def status(state: str, environment: str | None = None) -> Message:
    result = {"status": state, "serverName": "here", "installationId": "i-1", "environmentId": environment}
    return {"result": result}


def failed(text: str) -> Message:
    return {"error": {"code": -32603, "message": text}}


def http(step: str, code: str, body: str = '{"detail":"no"}') -> str:
    return f"remote control {step} failed {AT}: HTTP {code}, request-id: <none>, cf-ray: <none>, body: {body}"


# --- its state


def test_the_state_is_read_from_one_reply() -> None:
    assert play(remote.ask_status(), status("connected", "env_1")) == ([READ], ON)
    assert remote.status_in({"status": 1, "serverName": ""}) == RemoteStatus("unknown")
    with pytest.raises(CodexServerError, match="offers no remote control"):
        play(remote.ask_status(), failed("Invalid request: unknown variant `remoteControl/status/read`"))


def test_a_change_is_what_is_read_after_a_notification_and_not_what_an_old_one_says() -> None:
    old = {"method": LISTEN.method, "params": {"status": "disabled"}}
    replies = (status("connected", "env_1"), old, status("connected", "env_1"), old, status("errored"))
    wanted, found = play(remote.await_change(ON, 9), *replies)
    assert wanted == [READ, LISTEN, READ, LISTEN, READ]
    assert found.state == "errored"


def test_a_change_that_has_come_already_is_not_waited_for() -> None:
    assert play(remote.await_change(ON, 9), status("errored"))[0] == [READ]


def test_without_a_change_the_known_state_comes_back() -> None:
    assert play(remote.await_change(ON, 9), status("connected", "env_1"), {})[1] == ON


def test_a_connection_is_waited_for_until_it_is_made_or_refused() -> None:
    change: Message = {"method": LISTEN.method}
    replies: tuple[Message, ...] = (
        *(status("connecting"), status("connecting"), change, status("connecting", "env_1")),
        *(status("connecting", "env_1"), change, status("connected", "env_1")),
    )
    assert play(remote.await_connection(9), *replies)[1] == ON
    assert play(remote.await_connection(9), status("errored"))[1].state == "errored"


def test_an_error_may_be_waited_out() -> None:
    replies: tuple[Message, ...] = (
        *(status("errored"), status("errored"), {"method": LISTEN.method}, status("errored", "env_1")),
        *(status("connected", "env_1"),),
    )
    assert play(remote.await_connection(9, passes_errors=True), *replies)[1] == ON


def test_a_connection_that_takes_too_long_is_still_being_made() -> None:
    replies: tuple[Message, ...] = (status("connecting"), status("connecting"), {})
    assert play(remote.await_connection(9), *replies)[1].state == "connecting"


# --- switching


def test_it_is_enabled_for_the_life_of_the_server_alone() -> None:
    wanted, found = play(remote.enable(), status("connecting"))
    assert wanted == [("remoteControl/enable", {"ephemeral": True})]
    assert found.state == "connecting"


def test_it_is_disabled() -> None:
    wanted, found = play(remote.disable(), status("disabled"))
    assert (wanted, found.state) == ([("remoteControl/disable", {})], "disabled")
    with pytest.raises(NotLoggedInError, match="it is logged out"):
        play(remote.disable(), failed("remote control requires ChatGPT authentication"))


@for_each(
    ("answer", "problem"),
    [
        ({"result": {"authMethod": "chatgpt"}}, None),
        ({"result": {"authMethod": "somethingNew"}}, None),
        (failed("unknown variant"), None),
        ({"result": {"authMethod": None}}, "and it is logged out"),
        ({"result": {"authMethod": "apikey"}}, "and it is logged in with an API key"),
    ],
)
def test_the_login_is_looked_at_before_it_is_enabled(answer: Message, problem: str | None) -> None:
    if problem is None:
        wanted, _ = play(remote.check_remote_login(), answer)
        assert wanted == [("getAuthStatus", {"includeToken": False, "refreshToken": False})]
    else:
        with pytest.raises(NotLoggedInError, match=problem) as caught:
            play(remote.check_remote_login(), answer)
        assert caught.value.hint == "codex-server login"


@for_each(
    ("environment", "replies", "expected"),
    [
        ("env_1", [], "is enrolled, but ChatGPT refuses or loses its connection"),
        (None, [failed(http("server enrollment", "403 Forbidden"))], "does not give this account remote control"),
        (None, [failed(NOT_YET)], "not enrolled with ChatGPT yet"),
        (None, [{"result": {"pairingCode": "p"}}], "refused at first"),
    ],
)
def test_why_it_is_refused_is_told_by_a_pairing_code(
    environment: str | None, replies: list[Message], expected: str
) -> None:
    query = remote.ask_reason(RemoteStatus("errored", environment_id=environment))
    if not replies:
        with pytest.raises(StopIteration) as end:
            next(query)
        error = end.value.value
    else:
        wanted, error = play(query, *replies)
        assert wanted == [("remoteControl/pairing/start", {"manualCode": False})]
    assert isinstance(error, CodexServerError)
    assert expected in error.message
    assert error.hint


# --- pairing


def test_a_code_is_the_short_one_where_it_was_asked_for() -> None:
    found = {"pairingCode": "pair-1", "manualPairingCode": "ABCD-EFGH", "expiresAt": 2_000_000_000}
    wanted, code = play(remote.start_pairing(is_manual=True), {"result": found})
    assert wanted == [("remoteControl/pairing/start", {"manualCode": True})]
    assert (code, code.to_type) == (CODE, "ABCD-EFGH")
    _, code = play(remote.start_pairing(is_manual=False), {"result": {**found, "manualPairingCode": None}})
    assert code.to_type == "pair-1"


@for_each("odd", [{"expiresAt": 1}, {"pairingCode": "p"}, {"pairingCode": "p", "expiresAt": 10**18}])
def test_a_code_without_its_end_is_none(odd: dict[str, Any]) -> None:
    with pytest.raises(CodexServerError, match="named no pairing code"):
        play(remote.start_pairing(is_manual=False), {"result": odd})


def test_codexs_one_text_for_two_things_is_told_apart_by_the_state() -> None:
    with pytest.raises(BusyError, match="not enrolled with ChatGPT yet"):
        play(remote.start_pairing(is_manual=False), failed(NOT_YET), status("connecting"))
    with pytest.raises(CodexServerError, match="gives no pairing code") as caught:
        play(remote.start_pairing(is_manual=False), failed(NOT_YET), status("connected", "env_1"))
    assert caught.value.kind is ErrorKind.AUTH
    with pytest.raises(CodexServerError, match="service fails"):
        play(remote.start_pairing(is_manual=False), failed(http("pairing", "500 Internal Server Error")))


def test_a_code_is_asked_about_by_one_of_its_forms() -> None:
    wanted, claimed = play(remote.is_claimed(CODE), {"result": {"claimed": True}})
    assert (wanted, claimed) == ([("remoteControl/pairing/status", {"manualPairingCode": "ABCD-EFGH"})], True)
    wanted, claimed = play(remote.is_claimed(CODE._replace(manual_code=None)), {"result": {"claimed": False}})
    assert (wanted, claimed) == ([("remoteControl/pairing/status", {"pairingCode": "pair-1"})], False)


# --- devices


def test_devices_are_asked_for_page_by_page_and_one_without_an_id_is_left_out() -> None:
    phone = {"clientId": "cl_1", "displayName": "My phone", "platform": "ios", "lastSeenAt": 5, "appVersion": "1.2"}
    pages = (
        {"result": {"data": [phone, {"displayName": "no id"}], "nextCursor": "c"}},
        {"result": {"data": [{"clientId": "cl_2", "deviceType": "tablet", "deviceModel": "T", "lastSeenAt": "x"}]}},
    )
    wanted, found = play(remote.ask_clients("env_1"), *pages)
    first = {"environmentId": "env_1", "limit": 100, "order": "desc"}
    assert wanted == [("remoteControl/client/list", first), ("remoteControl/client/list", {**first, "cursor": "c"})]
    assert found == [
        RemoteClient("cl_1", "My phone", "ios", None, "1.2", 5),
        RemoteClient("cl_2", None, "tablet", "T", None, None),
    ]


def test_a_list_without_an_end_is_left() -> None:
    page: Message = {"result": {"data": [{"clientId": "cl_1"}], "nextCursor": "c"}}
    assert len(play(remote.ask_clients("env_1"), *[page] * 50)[1]) == 50


def test_a_device_is_revoked_by_its_id() -> None:
    wanted, _ = play(remote.revoke("env_1", "cl_1"), {"result": {}})
    assert wanted == [("remoteControl/client/revoke", {"environmentId": "env_1", "clientId": "cl_1"})]
    with pytest.raises(NotFoundError, match="knows no such device"):
        play(remote.revoke("env_1", "x"), failed(http("client revoke", "404 Not Found")))


# --- what goes wrong


@for_each(
    ("text", "exit_code", "kind", "expected"),
    [
        ("remote control requires ChatGPT authentication", 2, "auth", "it is logged out"),
        (
            "remote control requires ChatGPT authentication; API key auth is not supported",
            *(2, "auth", "logged in with an API key"),
        ),
        ("remote control pairing requires remote control to be enabled", 65, "bad_input", "is not on"),
        (NOT_YET, 75, "network", "not enrolled with ChatGPT yet"),
        ("invalid remote control URL `https://x.invalid/`; expected HTTPS", 65, "bad_input", "https://x.invalid/"),
        ("remoteControl/enable requires experimentalApi capability", 1, "bad_request", "offers no remote control"),
        ("remote control is unavailable for this app-server", 1, "bad_request", "offers no remote control"),
        (http("server enrollment", "401 Unauthorized"), 2, "auth", "HTTP 401 Unauthorized, 'no'"),
        (http("server enrollment", "403 Forbidden"), 1, "auth", "give this account remote control: HTTP 403"),
        (http("server enrollment", "404 Not Found"), 1, "auth", "give this account remote control: HTTP 404"),
        (http("server enrollment", "429 Too Many Requests"), 75, "rate_limit", "too many requests"),
        (http("server enrollment", "500 Internal Server Error"), 75, "overloaded", "service fails: HTTP 500"),
        (http("pairing status", "404 Not Found"), 66, "bad_input", "does not know this pairing code any more"),
        (http("client list", "404 Not Found"), 66, "bad_input", "knows no such device or machine"),
        (http("client list", "403 Forbidden", '{"error":{"message":"off"}}'), 1, "auth", "HTTP 403 Forbidden, 'off'"),
        (http("client list", "403 Forbidden", '{"message":"off"}'), 1, "auth", "HTTP 403 Forbidden, 'off'"),
        (http("client list", "403 Forbidden", "[1]"), 1, "auth", "list of devices: HTTP 403 Forbidden"),
        (http("pairing", "502 Bad Gateway", "<html>a: b</html>"), 75, "overloaded", "HTTP 502 Bad Gateway"),
        ("remote control pairing failed: HTTP 502", 75, "overloaded", "service fails: HTTP 502"),
        (
            f"failed to parse remote control pairing response from {AT[3:]}: HTTP 200 OK, body: {{}}, decode error: x",
            *(1, "protocol", "does not understand what ChatGPT answered about a pairing code: HTTP 200 OK"),
        ),
        (
            f"failed to enroll remote control server {AT}: error sending request for url (x)",
            *(1, "network", "cannot reach ChatGPT"),
        ),
        ("something new", 1, "bad_request", "Codex refused: something new"),
    ],
)
def test_each_refusal_says_what_is_wrong_and_what_to_do(text: str, exit_code: int, kind: str, expected: str) -> None:
    error = error_of(text)
    assert (error.exit_code, error.kind) == (Exit(exit_code), ErrorKind(kind))
    assert expected in error.message
    assert "\n" not in error.message
    assert error.hint
