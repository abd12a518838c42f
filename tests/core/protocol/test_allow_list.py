"""What a stranger's message may ask of the app-server, by method, by parameter and by input; and what is set for it."""

from __future__ import annotations

from typing import Any

import pytest

from codex_server_cli.core.protocol.allow_list import (
    FLAG,
    METHODS,
    READ_ONLY,
    WORKSPACE_WRITE,
    ClientRights,
    Refused,
    admit,
)
from tests.kit.cases import for_each

READING = ClientRights("/srv/project")
WRITING = ClientRights("/srv/project", may_write=True)
TEXT = [{"type": "text", "text": "hi"}]


def asked(method: str, params: Any = None) -> dict[str, Any]:
    return {"id": 1, "method": method, **({} if params is None else {"params": params})}


def admitted(method: str, params: Any = None, terms: ClientRights = READING) -> Any:
    message = admit(asked(method, params), terms)
    assert not isinstance(message, Refused), message
    return message["params"]


def refused(message: dict[str, Any], terms: ClientRights = READING) -> Refused:
    answer = admit(message, terms)
    assert isinstance(answer, Refused), answer
    return answer


@for_each(
    "method, params",
    [
        ("initialize", {"clientInfo": {"name": "a", "version": "1"}, "capabilities": {"experimentalApi": True}}),
        ("initialize", {"clientInfo": {"name": "a", "version": "1"}, "capabilities": None}),
        (
            "initialize",
            {"capabilities": {"optOutNotificationMethods": ["thread/started"], "requestAttestation": False}},
        ),
        ("initialize", {"capabilities": "the app-server says what is wrong"}),
        ("account/read", {"refreshToken": False}),
        ("model/list", {"limit": 3, "cursor": None, "includeHidden": True}),
        ("thread/list", {"limit": 3, "cwd": "/srv", "sourceKinds": ["cli"], "archived": False}),
        ("thread/read", {"threadId": "t", "includeTurns": True}),
        ("thread/turns/list", {"threadId": "t", "itemsView": "full"}),
        ("thread/items/list", {"threadId": "t", "turnId": "u"}),
        ("thread/unsubscribe", {"threadId": "t"}),
        ("turn/interrupt", {"threadId": "t", "turnId": "u"}),
        ("turn/steer", {"threadId": "t", "expectedTurnId": "u", "input": TEXT}),
    ],
)
def test_what_reads_or_steers_passes_as_it_is(method: str, params: dict[str, Any]) -> None:
    assert admit(asked(method, params), READING) == asked(method, params)


def test_every_method_of_the_list_passes_without_parameters() -> None:
    for method in METHODS:
        answer = admit(asked(method), READING)
        assert isinstance(answer, dict), answer
        assert ("params" in answer) == (method != "account/rateLimits/read")
    assert admitted("account/rateLimits/read", {"supportsLunaReserve": True}) == {"supportsLunaReserve": True}


@for_each(
    "method",
    [
        *("thread/shellCommand", "command/exec", "process/spawn", "fs/readFile", "fs/writeFile", "config/value/write"),
        *("thread/resume", "thread/fork", "thread/settings/update", "thread/inject_items", "review/start"),
        *("account/login/start", "account/logout", "mcpServer/tool/call", "turn/settings/update", "nope", ""),
        *("Thread/start", "thread/start ", "initialized"),
    ],
)
def test_any_other_method_is_refused_and_the_flag_is_named(method: str) -> None:
    answer = refused(asked(method, {}))
    assert f"`{method}`" in answer.message
    assert FLAG in answer.message
    assert not answer.is_malformed


@for_each(
    "method, params, named",
    [
        ("thread/start", {"config": {"model_providers.x.base_url": "http://evil"}}, "config"),
        ("thread/start", {"modelProvider": "x"}, "modelProvider"),
        ("thread/start", {"sandbox": "workspace-write"}, "sandbox"),
        ("thread/start", {"approvalPolicy": "on-request"}, "approvalPolicy"),
        ("thread/start", {"dynamicTools": []}, "dynamicTools"),
        ("thread/start", {"baseInstructions": ""}, "baseInstructions"),
        ("turn/start", {"threadId": "t", "input": TEXT, "cwd": "/"}, "cwd"),
        (
            "turn/start",
            {"threadId": "t", "input": TEXT, "sandboxPolicy": {"type": "dangerFullAccess"}},
            "sandboxPolicy",
        ),
        ("turn/start", {"threadId": "t", "input": TEXT, "sandboxPolicy": WORKSPACE_WRITE}, "sandboxPolicy"),
        ("turn/start", {"threadId": "t", "input": TEXT, "permissions": ":danger-full-access"}, "permissions"),
        ("turn/start", {"threadId": "t", "input": TEXT, "environments": []}, "environments"),
        ("turn/steer", {"threadId": "t", "expectedTurnId": "u", "input": TEXT, "additionalContext": {}}, "additional"),
        ("model/list", {"modelProvider": "x"}, "modelProvider"),
        ("initialize", {"clientInfo": {}, "more": 1}, "more"),
        ("initialize", {"capabilities": {"explicitGatewayOauth": True}}, "explicitGatewayOauth"),
        ("initialize", {"capabilities": {"extensions": {}}}, "extensions"),
    ],
)
def test_any_other_parameter_is_refused_and_the_flag_is_named(method: str, params: dict[str, Any], named: str) -> None:
    answer = refused(asked(method, params))
    assert named in answer.message
    assert method in answer.message or "capability" in answer.message
    assert FLAG in answer.message


def test_a_thread_is_opened_read_only_in_the_directory_of_the_server() -> None:
    ours = {"sandbox": "read-only", "approvalPolicy": "never"}
    for terms in (READING, WRITING):  # to open it with more marks the directory as trusted
        assert admitted("thread/start", {}, terms) == {"cwd": "/srv/project", **ours}
        assert admitted("thread/start", {"cwd": None, "model": "m", "ephemeral": True}, terms) == {
            **{"cwd": "/srv/project", "model": "m", "ephemeral": True},
            **ours,
        }
    inside = {"cwd": "/srv/project/a"}
    assert admitted("thread/start", {**inside, **ours, "config": None}) == {**inside, **ours}


def test_a_turn_has_the_rights_that_the_server_was_started_with() -> None:
    params = {"threadId": "t", "input": TEXT, "effort": "low", "outputSchema": {"type": "object"}}
    expected = {**params, "sandboxPolicy": READ_ONLY, "approvalPolicy": "never"}
    for terms in (READING, WRITING):
        assert admitted("turn/start", params, terms) == expected
        assert admitted("turn/start", {**expected, "cwd": None}, terms) == expected
        assert admitted("turn/start", {**params, "sandboxPolicy": {"type": "readOnly"}}, terms) == expected


def test_a_turn_writes_where_the_server_was_started_so_and_it_asks_to() -> None:
    params = {"threadId": "t", "input": TEXT}
    for asked_for in (WORKSPACE_WRITE, {"type": "workspaceWrite"}, {"type": "workspaceWrite", "networkAccess": False}):
        given = {**params, "sandboxPolicy": asked_for}
        assert admitted("turn/start", given, WRITING)["sandboxPolicy"] == WORKSPACE_WRITE
        assert "sandboxPolicy" in refused(asked("turn/start", given), READING).message
    wider: list[Any] = [
        {"type": "workspaceWrite", "networkAccess": True},
        {"type": "workspaceWrite", "writableRoots": ["/"]},
        {"type": "workspaceWrite", "more": 1},
        {"type": "dangerFullAccess"},
        {"networkAccess": False},
        "workspaceWrite",
    ]
    for policy in wider:
        assert "sandboxPolicy" in refused(asked("turn/start", {**params, "sandboxPolicy": policy}), WRITING).message


@for_each("cwd", ["/srv/project", "/srv/project/", "/srv/project/inner"])
def test_a_thread_works_in_the_directory_of_the_server_or_within(cwd: str) -> None:
    for terms in (READING, ClientRights("/")):
        assert admitted("thread/start", {"cwd": cwd}, terms)["cwd"] == cwd


@for_each("cwd", ["/srv/project/inner", "/srv/project/.git"])
def test_where_turns_may_write_no_thread_works_in_a_directory_that_one_could_have_made(cwd: str) -> None:
    assert admitted("thread/start", {"cwd": "/srv/project"}, WRITING)["cwd"] == "/srv/project"
    answer = refused(asked("thread/start", {"cwd": cwd}), WRITING)
    assert "/srv/project alone" in answer.message
    assert not answer.is_malformed


@for_each("cwd", ["/", "/srv", "/srv/project2", "/home/me"])
def test_a_thread_works_nowhere_else(cwd: str) -> None:
    for terms in (READING, WRITING):
        answer = refused(asked("thread/start", {"cwd": cwd}), terms)
        assert "/srv/project" in answer.message
        assert "--cwd DIR" in answer.message
        assert not answer.is_malformed


@for_each("cwd", ["", "src", "~", 7, ["/"], {"a": 1}])
def test_a_directory_that_is_no_absolute_path_is_malformed(cwd: Any) -> None:
    for terms in (READING, WRITING):
        assert refused(asked("thread/start", {"cwd": cwd}), terms).is_malformed


@for_each("method", ["turn/start", "turn/steer"])
def test_an_input_is_text_or_a_picture_in_a_data_url(method: str) -> None:
    items = [
        {"type": "text", "text": "a", "text_elements": []},
        {"type": "image", "url": "data:image/png;base64,AA==", "detail": None, "fileId": None},
    ]
    assert admitted(method, {"threadId": "t", "input": items})["input"] == items
    assert admitted(method, {"threadId": "t", "input": []})["input"] == []


@for_each("method", ["turn/start", "turn/steer"])
@for_each(
    "item, named",
    [
        ({"type": "localImage", "path": "/etc/passwd"}, "localImage"),
        ({"type": "localAudio", "path": "/etc/passwd"}, "localAudio"),
        ({"type": "skill", "name": "a", "path": "/etc/passwd"}, "skill"),
        ({"type": "mention", "name": "a", "path": "/etc/passwd"}, "mention"),
        ({"type": "audio", "url": "data:audio/wav;base64,AA=="}, "audio"),
        ({"text": "hi"}, "None"),
        ({"type": ["text"]}, "list|text"),
        ({"type": "text", "text": "hi", "path": "/etc/passwd"}, "path"),
        ({"type": "image", "fileId": "f"}, "fileId"),
        ({"type": "image", "url": "file:///etc/passwd"}, "data URL"),
        ({"type": "image", "url": "data:text/plain,hi"}, "data URL"),
        ({"type": "image", "url": ["data:image/"]}, "data URL"),
        ({"type": "image"}, "data URL"),
    ],
)
def test_an_input_that_names_a_file_is_refused(method: str, item: dict[str, Any], named: str) -> None:
    answer = refused(asked(method, {"threadId": "t", "input": [*TEXT, item]}))
    assert any(word in answer.message for word in named.split("|"))
    assert FLAG in answer.message


@for_each(
    "message",
    [
        asked("turn/start", {"threadId": "t", "input": "hi"}),
        asked("turn/start", {"threadId": "t", "input": None}),
        asked("turn/steer", {"threadId": "t", "input": ["hi"]}),
        asked("thread/start", ["/", "m"]),  # serde would read an array as a struct
        asked("account/rateLimits/read", "x"),
        {"id": 1, "method": 7},
        {"id": 1, "method": None, "params": {}},
        {"id": None, "result": {}},
        {"id": 1.5, "result": {}},
        {"result": {}},
        {},
    ],
)
def test_what_no_server_could_mean_anything_by_is_malformed(message: dict[str, Any]) -> None:
    assert refused(message).is_malformed


def test_the_handshake_s_notification_passes_and_no_other() -> None:
    assert admit({"method": "initialized", "params": {"a": 1}}, READING) == {"method": "initialized"}
    answer = refused({"method": "thread/start", "params": {}})
    assert "notification `thread/start`" in answer.message


@pytest.mark.parametrize("reply", [{"id": 0, "result": {"decision": "accept"}}, {"id": "a", "error": {"code": 1}}])
def test_a_reply_passes(reply: dict[str, Any]) -> None:
    assert admit(reply, READING) is reply


def test_nothing_but_the_members_of_a_request_is_sent() -> None:
    message = {"id": [1], "method": "model/list", "params": {}, "jsonrpc": "2.0", "trace": {"a": 1}}
    assert admit(message, READING) == {"id": [1], "method": "model/list", "params": {}}
