"""`--allow-raw-rpc`: every method passes; what asks goes to the client that began the turn; handles never collide."""

from __future__ import annotations

import base64
import threading
from typing import Any

import pytest

from codex_server_cli.gateway.bridge import turn_stream
from tests.kit.bridge import BridgeGateway
from tests.kit.support import Json, wait_until

ASKING: Json = {"sandbox": "read-only", "approvalPolicy": "untrusted", "ephemeral": True}
COMMAND = "run touch asked"


def test_every_method_passes_and_one_that_is_none_is_the_app_server_s_to_refuse(raw_bridge: BridgeGateway) -> None:
    found = raw_bridge.call("command/exec", {"command": ["echo", "hi"]})
    assert (found["stdout"], found["exitCode"]) == ("hi\n", 0)
    assert raw_bridge.call("thread/loaded/list") == {"data": [], "nextCursor": None}
    answer = raw_bridge.post("/rpc", {"id": 1, "method": "nope/x", "params": {}}).json()
    assert "unknown variant" in answer["error"]["message"]
    assert raw_bridge.post("/rpc", {"method": "nope"}).status_code == 400
    answer = raw_bridge.post(
        "/skills/invoke/codex-rpc", {"input": {"method": "fs/getMetadata", "params": {"path": "/"}}}
    )
    assert answer.json()["isDirectory"] is True
    with raw_bridge.socket() as client:
        assert client.request("command/exec", {"command": ["echo", "ws"]})["stdout"] == "ws\n"
        assert client.request("thread/start", {"cwd": "/", "ephemeral": True})["cwd"] == "/"


def test_a_stream_answers_what_its_turn_asks(raw_bridge: BridgeGateway) -> None:
    replies: list[tuple[Json, str]] = [
        ({"result": {"decision": "decline"}}, "declined"),
        ({"error": {"code": 1, "message": "no"}}, "failed"),
    ]
    for number, (reply, status) in enumerate(replies):
        thread_id = raw_bridge.start_thread(**ASKING)
        with raw_bridge.stream(raw_bridge.turn(thread_id, COMMAND, number)) as stream:
            asked = next(event for event in stream if event.name == "request")
            assert asked.method == "item/commandExecution/requestApproval"
            assert raw_bridge.post("/rpc", {"id": asked.data["id"], **reply}).status_code == 204
            events = list(stream)
        resolved = next(event for event in events if event.method == "serverRequest/resolved")
        assert resolved.data["params"]["requestId"] == asked.data["id"]
        items = [event.data["params"]["item"] for event in events if event.method == "item/completed"]
        assert status in [item["status"] for item in items if item["type"] == "commandExecution"]
        assert events[-2].data["params"]["turn"]["status"] == "completed"
        answer = raw_bridge.post("/rpc", {"id": asked.data["id"], **reply})
        assert answer.status_code == 404, "it was answered"


def test_what_no_user_attends_is_refused(raw_bridge: BridgeGateway) -> None:
    thread_id = raw_bridge.start_thread(**ASKING)
    raw_bridge.post("/rpc", raw_bridge.turn(thread_id, COMMAND))
    wait_until(lambda: raw_bridge.status_of(thread_id) == "idle", what="the end of the turn")
    assert not (raw_bridge.cwd / "asked").exists()


def test_a_turn_that_asks_is_its_owner_s_also_where_another_follows_it(raw_bridge: BridgeGateway) -> None:
    thread_id = raw_bridge.start_thread(**ASKING)
    with raw_bridge.stream(raw_bridge.turn(thread_id, COMMAND)) as owner:
        asked = next(event for event in owner if event.name == "request")
        with raw_bridge.stream(raw_bridge.turn(thread_id, "joins", 2)) as joined:
            assert [next(joined).name, next(joined).name] == ["ready", "result"]
            raw_bridge.post("/rpc", {"id": asked.data["id"], "result": {"decision": "decline"}})
            names = [event.name for event in joined]
        assert "request" not in names
        assert names[-1] == "done"
        list(owner)


def test_what_a_turn_asks_on_a_socket_goes_to_that_client_alone(raw_bridge: BridgeGateway) -> None:
    with raw_bridge.socket() as client, raw_bridge.socket() as other:
        thread_id = client.request("thread/start", ASKING)["thread"]["id"]
        params = {"threadId": thread_id, "input": [{"type": "text", "text": COMMAND}]}
        client.request("turn/start", params)
        client.until("item/commandExecution/requestApproval")
        client.send({"id": client.received[-1]["id"], "result": {"decision": "decline"}})
        assert client.until("turn/completed")["turn"]["status"] == "completed"
        other.request("model/list", {"limit": 1})
        assert not [each for each in other.received if str(each.get("method")).endswith("requestApproval")]


def exec_message(seconds: str, text: str) -> Json:
    """A command with the handle `p`, whose output is streamed."""
    params = {"command": ["sh", "-c", f"echo {text}; read line; echo $line"], "processId": "p"}
    return {"id": 1, "method": "command/exec", "params": {**params, "streamStdin": True, "streamStdoutStderr": True}}


def test_clients_that_choose_the_same_handle_do_not_meet(raw_bridge: BridgeGateway) -> None:
    found: dict[str, list[Any]] = {}
    started = threading.Barrier(3)

    def run(name: str) -> None:
        with raw_bridge.stream(exec_message("9", name), x_codex_client=name) as stream:
            events = [next(stream), next(stream)]
            started.wait(60)
            events += stream
        found[name] = events

    threads = [threading.Thread(target=run, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    started.wait(60)
    for name in ("two", "one"):
        data = base64.b64encode(f"for {name}\n".encode()).decode()
        raw_bridge.call("command/exec/write", {"processId": "p", "deltaBase64": data}, x_codex_client=name)
    for thread in threads:
        thread.join()
    for name in ("one", "two"):
        told = [event.data["params"] for event in found[name] if event.method == "command/exec/outputDelta"]
        assert {params["processId"] for params in told} == {"p"}
        text = b"".join(base64.b64decode(params["deltaBase64"]) for params in told).decode()
        assert text == f"{name}\nfor {name}\n"
        assert [event.name for event in found[name]][-2:] == ["result", "done"]


def test_a_process_is_followed_to_its_exit(raw_bridge: BridgeGateway) -> None:
    params = {
        "command": ["echo", "spawned"],
        "cwd": str(raw_bridge.cwd),
        "processHandle": "h",
        "streamStdoutStderr": True,
    }
    with raw_bridge.stream({"id": 1, "method": "process/spawn", "params": params}) as stream:
        events = list(stream)
    assert [event.name for event in events if event.name != "notification"] == ["ready", "result", "done"]
    (exited,) = [event for event in events if event.method == "process/exited"]  # it may come before the reply
    assert (exited.data["params"]["processHandle"], exited.data["params"]["exitCode"]) == ("h", 0)


def test_a_turn_whose_reply_does_not_name_it_is_followed(
    raw_bridge: BridgeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn_stream, "GRACE_S", 0.5)
    thread_id = raw_bridge.start_thread()
    params = {"threadId": thread_id, "command": "echo shelled"}
    with raw_bridge.stream({"id": 1, "method": "thread/shellCommand", "params": params}) as stream:
        events = list(stream)
    assert events[-2].method == "turn/completed"
    assert "shelled" in str([event.data for event in events])
    params = {"threadId": thread_id, "command": "sleep 4322"}
    with raw_bridge.stream({"id": 1, "method": "thread/shellCommand", "params": params}) as stream:
        next(event for event in stream if event.method == "turn/started")
    wait_until(lambda: raw_bridge.status_of(thread_id) == "idle", what="the interrupt")
