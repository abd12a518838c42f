"""`POST /skills/invoke/NAME`: the calls by name of the seed's clients."""

from __future__ import annotations

import json

from tests.kit.bridge import BridgeGateway
from tests.kit.support import Json, wait_until

CHAT = "/skills/invoke/codex-chat"


def invoke(bridge: BridgeGateway, name: str, given: Json | None = None) -> Json:
    answer = bridge.post(f"/skills/invoke/{name}", {"input": given} if given is not None else {})
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def test_the_status_tells_how_the_app_server_is_reached_and_whether_it_answers(bridge: BridgeGateway) -> None:
    found = invoke(bridge, "codex-status")
    assert (found["authMode"], found["appServerTransport"]) == ("app-server", "websocket")
    assert found["appServerProbe"]["ok"] is True
    assert found["appServerProbe"]["result"]["requiresOpenaiAuth"] is False
    for content in (b"", b"{}", b'{"input":{}}', b'{"input":null}'):
        assert bridge.post("/skills/invoke/codex-status", content).json() == found


def test_threads_and_models_are_the_results_of_their_methods(bridge: BridgeGateway) -> None:
    assert invoke(bridge, "codex-models", {"limit": 1})["data"][0]["model"]
    assert invoke(bridge, "codex-thread-start", {"ephemeral": True})["thread"]["cwd"] == str(bridge.cwd)
    assert "data" in invoke(bridge, "codex-thread-list")
    assert invoke(bridge, "codex-rpc", {"method": "model/list", "params": {"limit": 1}})["data"]
    assert invoke(bridge, "codex-rpc", {"method": "thread/list"})["data"] is not None


def test_a_chat_is_a_turn_of_ours_and_its_thread_is_continued(bridge: BridgeGateway) -> None:
    found = invoke(bridge, "codex-chat", {"prompt": "hello"})
    assert (found["answer"], found["state"]) == ("You said hello", "complete")
    directory = bridge.server.home / "turns" / found["turn_id"]
    meta = json.loads((directory / "meta.json").read_bytes())
    assert (meta["thread_id"], meta["cwd"], meta["sandbox"]) == (found["thread_id"], str(bridge.cwd), "read-only")
    again = invoke(bridge, "codex-chat", {"prompt": "and you", "thread_id": found["thread_id"]})
    assert (again["answer"], again["thread_id"]) == ("You said and you", found["thread_id"])
    assert again["turn_id"] != found["turn_id"]


def test_a_client_that_leaves_has_its_turn_cancelled(bridge: BridgeGateway) -> None:
    before = {path.name for path in (bridge.server.home / "turns").glob("2*")}
    with bridge.sent(CHAT, {"input": {"prompt": "hold chat"}}):
        bridge.gates["chat"].wait_until_reached()

    def cancelled() -> bool:
        (turn,) = [each for each in (bridge.server.home / "turns").glob("2*") if each.name not in before]
        return (turn / "error").exists() and json.loads((turn / "error").read_bytes())["kind"] == "cancelled"

    wait_until(cancelled, what="the cancel")
    bridge.gates["chat"].open()


def test_what_is_wrong_is_told_by_a_status(bridge: BridgeGateway) -> None:
    cases: list[tuple[str, object, int, str]] = [
        ("nope", {}, 404, "codex-status, codex-thread-start, codex-thread-list, codex-models, codex-chat, codex-rpc"),
        ("codex-chat", {"input": {}}, 400, "prompt"),
        ("codex-chat", {"input": {"prompt": "  "}}, 400, "prompt"),
        ("codex-chat", {"input": {"prompt": 7}}, 400, "input.prompt"),
        ("codex-chat", {"input": {"prompt": "a", "sandbox": "danger-full-access"}}, 400, "input.sandbox"),
        ("codex-chat", {"input": {"prompt": "a", "thread_id": "nope"}}, 404, "thread"),
        ("codex-chat", {"input": {"prompt": "a", "write": "yes"}}, 400, "input.write"),
        ("codex-chat", {"input": {"prompt": "a", "write": True}}, 403, "--write"),
        ("codex-chat", {"input": []}, 400, '{"input"'),
        ("codex-chat", [], 400, '{"input"'),
        ("codex-thread-start", {"input": {"config": {}}}, 403, "--allow-raw-rpc"),
        ("codex-thread-start", {"input": {"cwd": "/"}}, 403, "--cwd"),
        ("codex-models", {"input": {"limit": "x"}}, 400, "expected u32"),
        ("codex-rpc", {"input": {"method": "command/exec", "params": {"command": ["true"]}}}, 403, "--allow-raw-rpc"),
        ("codex-rpc", {"input": {}}, 400, "input.method"),
        ("codex-rpc", {"input": {"method": "thread/list", "params": []}}, 400, "params"),
        ("codex-rpc", {"input": {"method": "thread/read", "params": {"threadId": "x"}}}, 400, "invalid"),
    ]
    for name, body, status, words in cases:
        answer = bridge.post(f"/skills/invoke/{name}", body)
        assert answer.status_code == status, (name, body, answer.text)
        error = answer.json()["error"]
        assert words in error["message"] + error.get("hint", ""), answer.text
    assert bridge.http.get("/skills/invoke/codex-status").status_code == 405
    assert bridge.post("/skills/invoke/codex-status", b"{").status_code == 400


def test_a_turn_that_fails_is_told_with_its_ids(bridge: BridgeGateway) -> None:
    answer = bridge.post(CHAT, {"input": {"prompt": "fail"}})
    assert answer.status_code in (400, 502)
    document = answer.json()
    assert document["state"] == "failed"
    assert document["turn_id"]
    assert document["error"]["message"]
    assert document["error"]["type"] == "turn_failed"
