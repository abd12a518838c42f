"""Gateways that one test has for itself: another option, another login, an end of the app-server or of its own."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.gateway.bridge.conftest import served
from tests.kit.bridge import BridgeGateway
from tests.kit.support import DEADLINE_S, wait_until


@pytest.fixture
def own_bridge(one_codex: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeGateway]:
    """A gateway for one test, which ends its app-server or itself."""
    with served(tmp_path_factory, one_codex) as bridge:
        yield bridge


def test_the_death_of_the_app_server_ends_what_is_open_and_the_next_request_works(own_bridge: BridgeGateway) -> None:
    bridge = own_bridge
    thread_id = bridge.start_thread()
    with bridge.socket() as client, bridge.stream(bridge.turn(thread_id, "hold dead")) as stream:
        next(event for event in stream if event.method == "item/agentMessage/delta")
        generation = bridge.gateway.app_server.generation
        assert generation is not None
        os.kill(generation.pid, signal.SIGKILL)
        rest = list(stream)
        assert [event.name for event in rest[-2:]] == ["error", "done"]
        assert rest[-2].data["error"]["code"] == "codex_unavailable"
        with pytest.raises(ConnectionClosed) as closed:
            client.until("nothing")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1014
    bridge.gates["dead"].open()
    wait_until(lambda: bridge.post("/rpc", {"id": 1, "method": "thread/list"}).status_code == 200, what="a new one")
    with bridge.stream(bridge.turn(bridge.start_thread(), "hello")) as stream:
        assert list(stream)[-2].data["params"]["turn"]["status"] == "completed"
    with bridge.socket() as client:
        assert client.request("model/list", {"limit": 1})["data"]


def test_a_gateway_that_is_being_stopped_ends_streams_and_interrupts_their_turns(own_bridge: BridgeGateway) -> None:
    bridge = own_bridge
    thread_id = bridge.start_thread()
    with bridge.socket() as client, bridge.stream(bridge.turn(thread_id, "hold stop")) as stream:
        next(event for event in stream if event.method == "item/agentMessage/delta")
        bridge.loop.call_soon_threadsafe(bridge.gateway.begin_to_stop)
        rest = list(stream)
        assert [event.name for event in rest[-2:]] == ["error", "done"]
        assert rest[-2].data["error"]["code"] == "gateway_stopping"
        with pytest.raises(ConnectionClosed) as closed:
            client.until("nothing")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
    port = int(bridge.model.origin.rpartition(":")[2])
    wait_until(lambda: not model_connections(bridge, port), what="the interrupt")
    bridge.gates["stop"].open()
    answer = bridge.post("/rpc", {"id": 1, "method": "thread/list"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "gateway_stopping")


def test_a_chat_that_runs_at_the_end_is_told_that_its_turn_goes_on(own_bridge: BridgeGateway) -> None:
    bridge = own_bridge
    answers: list[httpx.Response] = []
    body = {"input": {"prompt": "hold on"}}
    asking = threading.Thread(target=lambda: answers.append(bridge.post("/skills/invoke/codex-chat", body)))
    asking.start()
    bridge.gates["on"].wait_until_reached()
    bridge.loop.call_soon_threadsafe(bridge.gateway.begin_to_stop)
    asking.join(DEADLINE_S)
    error = answers[0].json()["error"]
    assert (answers[0].status_code, error["code"]) == (503, "gateway_stopping")
    (turn,) = (bridge.server.home / "turns").glob("2*")
    assert error["message"].endswith(turn.name)
    bridge.gates["on"].open()
    wait_until((turn / "done").exists, what="the end of the turn")


def model_connections(bridge: BridgeGateway, port: int) -> int:
    """How many connections to the model the app-server holds open."""
    generation = bridge.gateway.app_server.generation
    assert generation is not None
    connections = psutil.Process(generation.pid).net_connections("inet")
    return sum(bool(each.raddr) and each.raddr.port == port and each.status == "ESTABLISHED" for each in connections)


@pytest.mark.full
def test_no_turn_of_a_client_bills_an_api_key(own_bridge: BridgeGateway) -> None:
    bridge = own_bridge
    bridge.server.write_login(auth_mode="apikey", OPENAI_API_KEY="sk-of-nobody")
    config = bridge.server.codex_home / "config.toml"
    config.write_text("\n".join(line for line in config.read_text().splitlines() if not line.startswith("model")))
    thread_id = bridge.start_thread()
    message = bridge.turn(thread_id, "hello")
    for path in ("/rpc", "/stream"):
        answer = bridge.post(path, message)
        assert answer.status_code == 401, answer.text
        assert "API key" in answer.json()["error"]["message"]
    with bridge.socket() as client:
        answered = client.reply_to(message)
        assert "API key" in answered["error"]["message"]
    assert bridge.model.model_requests == []


def test_with_write_a_turn_writes_that_asks_to_where_the_gateway_serves_and_no_thread_works_elsewhere(
    one_codex: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with served(tmp_path_factory, one_codex, may_write=True) as bridge:
        thread_id = bridge.start_thread()
        for more, is_made in (({}, False), ({"sandboxPolicy": {"type": "workspaceWrite"}}, True)):
            with bridge.stream(bridge.turn(thread_id, "run touch made", **more)) as stream:
                assert list(stream)[-2].data["params"]["turn"]["status"] == "completed"
            assert (bridge.cwd / "made").exists() is is_made
        answer = bridge.post("/rpc", {"id": 1, "method": "thread/start", "params": {"cwd": str(bridge.cwd.parent)}})
        assert answer.status_code == 403
        assert "trust_level" not in (bridge.server.codex_home / "config.toml").read_text()


def test_without_the_token_nothing_of_the_bridge_answers(
    one_codex: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with served(tmp_path_factory, one_codex, token="the-token-of-this-test") as bridge:
        message = {"id": 1, "method": "model/list", "params": {"limit": 1}}
        for authorization, status in (("Bearer wrong", 401), ("Bearer the-token-of-this-test", 200)):
            for path in ("/rpc", "/stream", "/skills/invoke/codex-models"):
                body = message if path != "/skills/invoke/codex-models" else {}
                answer = bridge.post(path, body, authorization=authorization)
                assert answer.status_code == status, (path, answer.text)
        assert bridge.post("/rpc", message).json()["error"]["code"] == "invalid_api_key"
        with pytest.raises(InvalidStatus) as refused, bridge.socket():
            pass
        assert refused.value.response.status_code == 401
