"""The names that clients choose: two clients on one connection never meet each other's."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.protocol.handles import handle_in, marked, unmarked
from tests.kit.cases import for_each


@for_each(
    "method, name",
    [
        ("command/exec", "processId"),
        ("command/exec/write", "processId"),
        ("process/spawn", "processHandle"),
        ("process/kill", "processHandle"),
        ("fs/watch", "watchId"),
        ("fs/unwatch", "watchId"),
        ("fuzzyFileSearch", "cancellationToken"),
        ("fuzzyFileSearch/sessionUpdate", "sessionId"),
        ("mcpServer/event/stream/start", "subscriptionId"),
    ],
)
def test_a_handle_carries_the_name_of_its_client(method: str, name: str) -> None:
    request: dict[str, Any] = {"id": 1, "method": method, "params": {name: "p1", "other": "p1"}}
    assert handle_in(request) == (name, "p1")
    assert marked(request, "a") == {"id": 1, "method": method, "params": {name: "a:p1", "other": "p1"}}
    assert request["params"][name] == "p1", "the client's own message is left as it is"


@for_each(
    "request_",
    [
        {"id": 1, "method": "command/exec", "params": {"command": ["ls"]}},
        {"id": 1, "method": "command/exec", "params": {"processId": 7}},
        {"id": 1, "method": "fs/watch", "params": ["watchId"]},
        {"id": 1, "method": "fs/watch"},
        {"id": 1, "method": "thread/list", "params": {"processId": "p1"}},
        {"id": 1, "result": {}},
    ],
)
def test_a_message_without_a_handle_stays_as_it_is(request_: dict[str, Any]) -> None:
    assert handle_in(request_) is None
    assert marked(request_, "a") is request_


@for_each(
    "method, name",
    [
        ("command/exec/outputDelta", "processId"),
        ("process/exited", "processHandle"),
        ("fs/changed", "watchId"),
        ("fuzzyFileSearch/sessionCompleted", "sessionId"),
        ("mcpServer/event/stream/notification", "subscriptionId"),
    ],
)
@for_each("client, handle", [("a", "p1"), ("", "p1"), ("a", "p:1"), ("", ":")])
def test_a_notification_goes_back_to_its_client_with_the_client_s_own_handle(
    method: str, name: str, client: str, handle: str
) -> None:
    told = {"method": method, "params": {name: f"{client}:{handle}", "more": 1}}
    assert unmarked(told) == (client, handle, {"method": method, "params": {name: handle, "more": 1}})


@for_each(
    "notification",
    [
        {"method": "account/updated", "params": {}},
        {"method": "fs/changed", "params": {}},
        {"method": "fs/changed", "params": {"watchId": "not ours"}},
    ],
)
def test_any_other_notification_is_about_no_handle(notification: dict[str, Any]) -> None:
    assert unmarked(notification) is None
