"""`GET /ws`: a client's own connection, message for message, with the filter both ways; and every way it ends."""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from codex_server_cli.core.protocol.websocket import SAMPLE_KEY, TEXT, FrameDecoder, message_frames, upgrade_request
from codex_server_cli.gateway import connection_limits
from codex_server_cli.gateway.bridge import ws
from tests.kit.bridge import SECOND, BridgeGateway, WebSocketClient
from tests.kit.support import Json, wait_until


def start(client: WebSocketClient, prompt: str) -> tuple[str, str]:
    """A turn on a new thread."""
    thread_id = client.request("thread/start", {"ephemeral": True})["thread"]["id"]
    params = {"threadId": thread_id, "input": [{"type": "text", "text": prompt}]}
    return thread_id, client.request("turn/start", params)["turn"]["id"]


def close_code(client: WebSocketClient) -> int:
    """The code with which the other side closes."""
    with pytest.raises(ConnectionClosed) as closed:
        client.until("nothing")
    assert closed.value.rcvd is not None
    return int(closed.value.rcvd.code)


def test_a_client_does_its_own_handshake_once(bridge: BridgeGateway) -> None:
    with bridge.socket(is_initialised=False) as client:
        before = client.reply_to({"id": 1, "method": "model/list", "params": {}})
        assert before["error"]["message"] == "Not initialized"
        params = {"clientInfo": {"name": "a", "version": "1"}, "capabilities": {"experimentalApi": True}}
        assert "userAgent" in client.request("initialize", params)
        again = client.reply_to({"id": "again", "method": "initialize", "params": params})
        assert again["error"]["message"] == "Already initialized"
        assert client.request("model/list", {"limit": 1})["data"]


def test_a_turn_runs_to_its_end_on_the_client_s_own_connection(bridge: BridgeGateway) -> None:
    with bridge.socket() as client, bridge.socket() as other:
        thread_id, turn_id = start(client, "hello")
        completed = client.until("turn/completed")
        assert (completed["threadId"], completed["turn"]["id"]) == (thread_id, turn_id)
        assert completed["turn"]["status"] == "completed"
        deltas = [
            each["params"]["delta"] for each in client.received if each.get("method") == "item/agentMessage/delta"
        ]
        assert "".join(deltas) == "You said hello"
        assert {"thread/started", "turn/started"} <= {str(each.get("method")) for each in client.received}
        other.request("model/list", {"limit": 1})
        assert not [each for each in other.received if thread_id in json.dumps(each)], "it is no thread of this client"


def test_clients_with_the_same_ids_get_their_own_replies(bridge: BridgeGateway) -> None:
    with bridge.socket() as one, bridge.socket() as two:
        for number, client in enumerate((one, two)):
            client.send({"id": 7, "method": ("thread/list", "model/list")[number], "params": {"limit": 1}})
        for number, client in enumerate((two, one)):
            found = client.reply_to({"id": 8, "method": ("thread/list", "model/list")[number], "params": {"limit": 1}})
            assert len(found["result"]["data"]) == number
        for number, client in enumerate((one, two)):
            while not (seen := [each for each in client.received if each.get("id") == 7]):  # replies may change places
                client.receive()
            assert len(seen[0]["result"]["data"]) == number


REFUSED: list[tuple[str, Any, str]] = [
    ('{"id":"a","method":"command/exec","params":{"command":["true"]}}', "a", "--allow-raw-rpc"),
    ('{"id":2,"method":"thread/start","params":{"config":{}}}', 2, "`config`"),
    ('{"id":3,"method":"thread/start","params":{"cwd":"/"}}', 3, "--cwd DIR"),
    ('{"id":4,"method":"thread/start","params":{"cwd":"/nope/x"}}', 4, "no directory"),
    ('{"method":"thread/start","params":{}}', None, "notification"),
    ('{"id":1.5,"method":"thread/list","params":{}}', 1.5, "`id`"),
    ('{"id":true,"method":"thread/list","params":{}}', True, "`id`"),
    ('{"id":null,"method":"thread/list","params":{}}', None, "`id`"),
    ('{"id":9223372036854775808,"method":"thread/list","params":{}}', 2**63, "`id`"),
    ('{"id":5,"method":"thread/list","params":{"searchTerm":"\\ud800"}}', 5, "UTF-16"),
    ('{"id":6,"method":"thread/list","params":{"cwd":' + "[" * 200 + "]" * 200 + "}}", 6, "nested"),
    ('{"id":1}', None, "`method`"),
    ("{}", None, "`method`"),
    ("[]", None, "JSON object"),
    ("", None, "JSON object"),
    ("hello", None, "JSON object"),
    ('{"id":1,"method":"thread/list"', None, "JSON object"),
]


def test_what_does_not_pass_is_answered_and_the_connection_goes_on(bridge: BridgeGateway) -> None:
    with bridge.socket() as client:
        for text, request_id, words in REFUSED:
            client.connection.send(text)
            while "error" not in (answer := client.receive()):
                continue
            assert answer["id"] == request_id
            assert type(answer["id"]) is type(request_id)
            assert words in answer["error"]["message"], (text, answer)
        assert client.request("model/list", {"limit": 1})["data"]


def test_a_binary_message_closes_the_connection(bridge: BridgeGateway) -> None:
    with bridge.socket() as client, bridge.socket() as other:
        client.connection.send(b'{"id":1,"method":"model/list","params":{}}')
        assert close_code(client) == 1003
        assert other.request("model/list", {"limit": 1})["data"]


def test_a_message_that_is_too_large_closes_the_connection(bridge: BridgeGateway) -> None:
    with bridge.socket() as client:
        client.send({"id": 1, "method": "thread/list", "params": {"searchTerm": "x" * (1 << 20)}})
        assert close_code(client) == 1009


def test_the_code_is_read_even_by_a_client_that_was_still_sending(bridge: BridgeGateway) -> None:
    size = 8 << 20
    with bridge.socket() as client:
        masked = bytes([0x81, 0x80 | 127]) + size.to_bytes(8, "big") + bytes(4)
        with suppress(OSError):  # its other thread has read the code, and closes
            client.connection.socket.sendall(masked + b"x" * size)
        assert close_code(client) == 1009


def test_a_connection_for_which_there_is_no_room_ends_before_its_handshake(
    bridge: BridgeGateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(connection_limits, "MOST_UNREAD_BYTES", 0)
        with pytest.raises(InvalidMessage), bridge.socket():
            pass
    with bridge.socket() as client:
        assert client.request("model/list", {"limit": 1})["data"]
    assert [record for record in caplog.records if record.exc_info] == []


def test_messages_that_are_too_large_together_close_the_connection_of_the_last(
    bridge: BridgeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_limits, "MOST_UNREAD_BYTES", 1_500_000)
    limits, half = bridge.limits, 1 << 19
    message = {"id": 1, "method": "thread/list", "params": {"searchTerm": "x" * (2 * half - 200)}}
    with bridge.socket() as first, bridge.socket() as second:
        for client in (first, first, second):  # what was read does not count
            assert "result" in client.reply_to({**message, "id": 2})
        wait_until(lambda: limits.unread_bytes == 0, what="the end of what was read")
        text = json.dumps(message)
        first.connection.socket.sendall(message_frames(text.encode(), os.urandom)[: 2 * half - 300])
        wait_until(lambda: limits.unread_bytes >= 2 * half - 300, what="the first, which is not complete")
        second.send(message)
        assert close_code(second) == 1013
        with bridge.socket() as third:
            assert third.request("model/list", {"limit": 1})["data"]
        first.connection.socket.shutdown(socket.SHUT_RDWR)  # in the middle of a message a good-bye is not read
    wait_until(lambda: limits.unread_bytes == 0, what="the end of the others")


def test_a_bad_frame_while_messages_come_is_no_defect(bridge: BridgeGateway) -> None:
    with bridge.socket() as client:
        start(client, "word " * 20_000)
        for _ in range(20):
            client.send({"id": 1, "method": "model/list", "params": {}})
        client.connection.send(b"\xff\xfe", text=True)
        assert close_code(client) == 1007
    assert bridge.defects == []


def test_text_that_is_no_utf_8_closes_the_connection(bridge: BridgeGateway) -> None:
    with bridge.socket() as client:
        client.connection.send(b"\xff\xfe", text=True)
        assert close_code(client) == 1007


def test_a_client_that_leaves_has_its_turn_interrupted_and_nothing_else(bridge: BridgeGateway) -> None:
    with bridge.socket() as staying:
        _, staying_turn = start(staying, "hold ws staying")
        for way in ("closes", "cuts"):
            with bridge.socket() as client:
                thread_id, _ = start(client, f"hold ws {way}")
                client.until("item/agentMessage/delta")
                if way == "cuts":
                    client.connection.socket.shutdown(socket.SHUT_RDWR)
            wait_until(partial(_is_idle, bridge, thread_id), what="the interrupt")
            bridge.gates[f"ws {way}"].open()
        bridge.gates["ws staying"].open()
        turn = staying.until("turn/completed")["turn"]
        assert (turn["id"], turn["status"]) == (staying_turn, "completed")
        deltas = [
            each["params"]["delta"] for each in staying.received if each.get("method") == "item/agentMessage/delta"
        ]
        assert "".join(deltas) == f"hold ws staying {SECOND}"


def _is_idle(bridge: BridgeGateway, thread_id: str) -> bool:
    return not is_active(bridge, thread_id)


def is_active(bridge: BridgeGateway, thread_id: str) -> bool:
    """Whether a turn runs on a thread, which is unloaded a second after its client has left."""
    answer = bridge.post("/rpc", {"id": 1, "method": "thread/read", "params": {"threadId": thread_id}}).json()
    return "result" in answer and answer["result"]["thread"]["status"]["type"] == "active"


def test_a_client_that_leaves_before_the_reply_has_its_turn_interrupted(bridge: BridgeGateway) -> None:
    with bridge.socket() as client:
        thread_id = client.request("thread/start", {"ephemeral": True})["thread"]["id"]
        client.send(bridge.turn(thread_id, "hold ws early", 77))
        client.connection.close()
    wait_until(partial(_is_idle, bridge, thread_id), what="the interrupt")
    bridge.gates["ws early"].open()


@pytest.mark.full
@pytest.mark.version_free
def test_a_client_that_stops_reading_is_disconnected_and_disturbs_no_other(
    bridge: BridgeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ws, "TAKEN_S", 1.0)
    with SlowClient(bridge.url) as client:
        client.ask({"id": 1, "method": "initialize", "params": {"clientInfo": {"name": "test", "version": "1"}}})
        started = client.ask({"id": 2, "method": "thread/start", "params": {"ephemeral": True}})
        thread_id = started["result"]["thread"]["id"]
        client.send(bridge.turn(thread_id, "big ws", 3))
        wait_until(lambda: bridge.has_asked_for("big ws"), what="the turn")
        with bridge.socket() as other:
            start(other, "hello")
            assert other.until("turn/completed")["turn"]["status"] == "completed"
        wait_until(partial(_is_idle, bridge, thread_id), what="the interrupt")
    bridge.gates["ws"].open()


class SlowClient:
    """A client that reads nothing but the replies that it waits for: a library reads in the background."""

    def __init__(self, url: str) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.connect(("127.0.0.1", int(url.rpartition(":")[2])))
        self._socket.sendall(upgrade_request("localhost", "/ws", SAMPLE_KEY))
        head = b""
        while b"\r\n\r\n" not in head:
            head += self._socket.recv(1)
        assert b" 101 " in head
        self._decoder = FrameDecoder()

    def __enter__(self) -> SlowClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, message: Json) -> None:
        """Send a message."""
        self._socket.sendall(message_frames(json.dumps(message).encode(), os.urandom))

    def ask(self, message: Json) -> Json:
        """Send a request and return its reply."""
        self.send(message)
        while True:
            for received in self._decoder.feed(self._socket.recv(4096)):
                found: Json = json.loads(received.payload) if received.opcode == TEXT else {}
                if found.get("id") == message["id"]:
                    return found


def test_as_many_clients_as_may_be_are_let_in(bridge: BridgeGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ws, "MOST_SOCKETS", 2)
    with bridge.socket(), bridge.socket():
        with pytest.raises(InvalidStatus) as refused, bridge.socket():
            pass
        assert refused.value.response.status_code == 429
        document: Json = json.loads(refused.value.response.body or b"")
        assert document["error"]["code"] == "gateway_busy"
    wait_until(lambda: _is_let_in(bridge), what="a place")


def _is_let_in(bridge: BridgeGateway) -> bool:
    try:
        with bridge.socket():
            return True
    except InvalidStatus:
        return False


def test_what_is_no_upgrade_is_answered_by_a_status(bridge: BridgeGateway) -> None:
    answer = bridge.http.get("/ws")
    assert answer.status_code in (404, 426)
    assert answer.json()["error"]["message"]
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(f"ws{bridge.url[4:]}/ws", origin=Origin("http://evil.example")),
    ):
        pass
    assert refused.value.response.status_code == 403
