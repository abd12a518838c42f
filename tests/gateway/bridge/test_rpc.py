"""`POST /rpc`: one message in, its reply out, with the caller's own id; and what is refused."""

from __future__ import annotations

import asyncio
import gzip
import threading
from typing import Any

import pytest

from codex_server_cli.gateway.bridge import messages, shared_connection
from codex_server_cli.gateway.upstream.connection import UpstreamConnection
from tests.kit.bridge import BridgeGateway
from tests.kit.cases import for_each
from tests.kit.support import wait_until

IDS: list[Any] = [1, "a", 0, -1, 2**70, 1.5, None, True, ["x", {"y": 1}], {"z": None}, "", "ü\u2028\u0000"]


def test_a_reply_has_the_caller_s_own_id_of_any_type(bridge: BridgeGateway) -> None:
    for request_id in IDS:
        answer = bridge.post("/rpc", {"jsonrpc": "2.0", "id": request_id, "method": "thread/list", "params": {}})
        assert answer.status_code == 200, answer.text
        assert (answer.json()["id"], answer.json()["result"]["data"]) == (request_id, [])


def test_callers_with_the_same_id_get_their_own_replies(bridge: BridgeGateway) -> None:
    found: dict[int, Any] = {}

    def ask(number: int) -> None:
        method = ("thread/list", "model/list")[number % 2]
        found[number] = bridge.post("/rpc", {"id": 7, "method": method, "params": {"limit": 1}}).json()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(20):
        assert len(found[number]["result"]["data"]) == number % 2, found[number]


def test_every_method_of_the_list_is_answered_by_the_app_server(bridge: BridgeGateway) -> None:
    thread_id = bridge.start_thread()
    calls: list[tuple[str, Any, str]] = [
        ("account/read", {}, "requiresOpenaiAuth"),
        ("account/read", None, "requiresOpenaiAuth"),
        ("model/list", {"limit": 1}, "data"),
        ("thread/list", {}, "data"),
        ("thread/read", {"threadId": thread_id}, "thread"),
        ("thread/unsubscribe", {"threadId": thread_id}, "status"),
    ]
    for method, params, member in calls:
        answer = bridge.post("/rpc", {"id": 1, "method": method, "params": params}).json()
        assert member in answer["result"], answer
    for params in ({}, None):
        answer = bridge.post("/rpc", {"id": 1, "method": "account/rateLimits/read", "params": params}).json()
        assert "authentication required" in answer["error"]["message"], answer


def test_an_error_of_the_app_server_is_a_reply(bridge: BridgeGateway) -> None:
    answer = bridge.post("/rpc", {"id": "x", "method": "thread/read", "params": {"threadId": "nope"}})
    assert answer.status_code == 200
    assert (answer.json()["id"], answer.json()["error"]["code"]) == ("x", -32600)


def test_each_client_may_do_its_handshake(bridge: BridgeGateway) -> None:
    params = {"clientInfo": {"name": "a", "version": "1"}}
    for request_id in (1, 1, "again"):
        answer = bridge.post("/rpc", {"id": request_id, "method": "initialize", "params": params}).json()
        assert answer["id"] == request_id
        assert "userAgent" in answer["result"]
        assert bridge.post("/rpc", {"method": "initialized"}).status_code == 204
    answer = bridge.post("/rpc", {"id": 1, "method": "initialize", "params": {}}).json()
    assert "clientInfo" in answer["error"]["message"]


def test_a_thread_is_read_only_and_works_in_the_served_directory(bridge: BridgeGateway) -> None:
    inner = bridge.cwd / "inner"
    inner.mkdir(exist_ok=True)
    (bridge.cwd / "out").unlink(missing_ok=True)
    (bridge.cwd / "out").symlink_to("/")
    for params, place in (({}, bridge.cwd), ({"cwd": str(inner)}, inner)):
        started = bridge.call("thread/start", {"ephemeral": True, **params})
        assert started["sandbox"]["type"] == "readOnly"
        assert started["approvalPolicy"] == "never"
        assert started["cwd"] == str(place)
    for cwd in ("/", str(bridge.cwd / "out"), f"{bridge.cwd}/.."):
        answer = bridge.post("/rpc", {"id": 1, "method": "thread/start", "params": {"cwd": cwd}})
        assert answer.status_code == 403
        assert "--cwd DIR" in answer.json()["error"]["message"]
    wrong: list[Any] = [str(bridge.cwd / "missing"), f"{bridge.cwd}\u0000", "src", 7]
    for other in wrong:
        answer = bridge.post("/rpc", {"id": 1, "method": "thread/start", "params": {"cwd": other}})
        assert answer.status_code == 400, answer.text


def test_a_turn_begins_and_is_interrupted_by_its_ids(bridge: BridgeGateway) -> None:
    thread_id = bridge.start_thread()
    turn = bridge.post("/rpc", bridge.turn(thread_id, "hold rpc")).json()["result"]["turn"]
    bridge.gates["rpc"].wait_until_reached()
    assert bridge.status_of(thread_id) == "active"
    bridge.call("turn/interrupt", {"threadId": thread_id, "turnId": turn["id"]})
    wait_until(lambda: bridge.status_of(thread_id) == "idle", what="the end of the turn")
    bridge.gates["rpc"].open()


@for_each(
    "method, params",
    [
        ("command/exec", {"command": ["true"]}),
        ("thread/shellCommand", {"threadId": "t", "command": "true"}),
        ("fs/readFile", {"path": "/etc/passwd"}),
        ("thread/start", {"config": {"model_provider": "evil"}}),
        ("turn/start", {"threadId": "t", "input": [{"type": "localImage", "path": "/etc/passwd"}]}),
        ("turn/start", {"threadId": "t", "input": [], "sandboxPolicy": {"type": "dangerFullAccess"}}),
        ("nope", {}),
    ],
)
def test_what_is_not_on_the_list_is_refused(bridge: BridgeGateway, method: str, params: Any) -> None:
    answer = bridge.post("/rpc", {"id": 1, "method": method, "params": params})
    assert answer.status_code == 403
    error = answer.json()["error"]
    assert "--allow-raw-rpc" in error["message"]
    assert error["code"] == "not_let_through"


BAD: list[tuple[bytes, int]] = [
    (b"", 400),
    (b"{", 400),
    (b"\xff", 400),
    (b"[]", 400),
    (b'[{"id":1,"method":"thread/list"}]', 400),
    (b"7", 400),
    (b"{}", 400),
    (b'{"id":1}', 400),
    (b'{"id":1,"method":7}', 400),
    (b'{"id":1,"method":"thread/list","params":[]}', 400),
    (b'{"id":1,"method":"thread/list","params":{"searchTerm":"\\ud800"}}', 400),
    (b'{"id":"\\ud800","method":"thread/list"}', 400),
    (b'{"id":1,"method":"thread/list","params":{"limit":1e999}}', 400),
    (b'{"id":1,"method":"thread/list","params":{"limit":NaN}}', 400),
    (b'{"id":1,"method":"thread/list","params":{"cwd":' + b"[" * 150 + b"]" * 150 + b"}}", 400),
    (b"[" * 200_000, 400),
    (b'{"method":"thread/start","params":{}}', 403),
    (b'{"id":"1.r0","result":{}}', 404),
    (b'{"id":1,"error":{"code":1}}', 404),
]


def test_what_is_no_message_is_told_by_a_status(bridge: BridgeGateway) -> None:
    for body, status in BAD:
        answer = bridge.post("/rpc", body)
        assert answer.status_code == status, (body[:80], answer.text)
        assert answer.json()["error"]["message"]
    assert bridge.http.get("/rpc").status_code == 405
    assert bridge.post("/rpc", {"id": 1, "method": "thread/list"}, x_codex_client="a:b").status_code == 400


@pytest.mark.full
def test_a_body_that_is_too_large_is_refused(bridge: BridgeGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MOST_MESSAGE_BYTES", 1 << 20)
    long = b'{"id":1,"method":"thread/list","params":{"searchTerm":"' + b"x" * (1 << 20) + b'"}}'
    assert bridge.post("/rpc", long).status_code == 413
    bomb = gzip.compress(b'{"id":1,"method":"' + b" " * (70 << 20), 9)
    assert bridge.post("/rpc", bomb, content_encoding="gzip").status_code == 413
    good = gzip.compress(b'\xef\xbb\xbf{"id":1,"method":"thread/list"}')
    assert bridge.post("/rpc", good, content_encoding="gzip").json()["result"]["data"] == []


def test_a_client_that_leaves_before_it_hears_of_its_turn_has_it_interrupted(
    bridge: BridgeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reply is held back, since it comes within milliseconds."""
    thread_id, other_id = bridge.start_thread(), bridge.start_thread()
    bridge.post("/rpc", bridge.turn(other_id, "hold other"))
    call, is_let = UpstreamConnection.call, threading.Event()

    async def slow(self: UpstreamConnection, method: str, params: Any, *, timeout_s: float = 30.0) -> Any:
        result = await call(self, method, params, timeout_s=timeout_s)
        if method == "turn/start":
            await asyncio.to_thread(is_let.wait)
        return result

    monkeypatch.setattr(UpstreamConnection, "call", slow)
    with bridge.sent("/rpc", bridge.turn(thread_id, "hold left")):
        bridge.gates["left"].wait_until_reached()
    wait_until(lambda: "_take_back" in str([*bridge.gateway._tasks]), what="its leaving to be noticed")
    is_let.set()
    wait_until(lambda: bridge.status_of(thread_id) == "idle", what="the interrupt")
    assert bridge.status_of(other_id) == "active", "another client was disturbed"
    bridge.gates["other"].open()
    wait_until(lambda: bridge.status_of(other_id) == "idle", what="the other turn's end")


def test_of_too_many_threads_the_least_recently_used_is_released(
    bridge: BridgeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed, unused, used = (bridge.start_thread() for _ in range(3))
    monkeypatch.setattr(shared_connection, "MOST_THREADS", 3)
    with bridge.stream(bridge.turn(followed, "hold followed")) as stream:
        next(event for event in stream if event.method == "turn/started")
        bridge.call("thread/read", {"threadId": used})
        bridge.start_thread()

        def is_loaded(thread_id: str) -> bool:
            return (
                "result"
                in bridge.post("/rpc", {"id": 1, "method": "thread/read", "params": {"threadId": thread_id}}).json()
            )

        wait_until(lambda: not is_loaded(unused), what="its end")
        assert is_loaded(followed)
        assert is_loaded(used)
        bridge.gates["followed"].open()
        assert list(stream)[-2].data["params"]["turn"]["status"] == "completed"
