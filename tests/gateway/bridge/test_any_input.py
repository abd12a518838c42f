"""Any body and any frame: no defect, no hang, no other client disturbed."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from codex_server_cli.core.protocol.allow_list import METHODS, PARAMETERS
from codex_server_cli.core.protocol.websocket import CLOSE, SAMPLE_KEY, FrameDecoder, upgrade_request
from tests.kit.bridge import BridgeGateway, events_in
from tests.kit.cases import examples
from tests.kit.support import DEADLINE_S

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["/", "data:image/"])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        *("threadId", "turnId", "expectedTurnId", "input", "cwd", "model", "ephemeral", "effort", "outputSchema"),
        *("sandbox", "config", "clientInfo", "capabilities", "limit", "cursor", "type", "text", "url", "path"),
    ]
)
ITEMS = st.lists(
    st.dictionaries(NAMES, VALUES | st.sampled_from(["text", "image", "localImage"]), max_size=4), max_size=3
)
THREAD = b"$THREAD"
"""Stands for a thread that there is."""
GIVEN = st.dictionaries(NAMES, VALUES | ITEMS, max_size=4)
PARAMS: st.SearchStrategy[Any] = GIVEN | GIVEN.map(lambda given: {**given, "threadId": THREAD.decode()}) | VALUES
METHOD = st.sampled_from([*METHODS, "thread/resume", "command/exec", "initialized", "turn/interrupt"]) | VALUES
MESSAGES = st.fixed_dictionaries(
    {},
    optional={"id": VALUES, "method": METHOD, "params": PARAMS, "result": VALUES, "error": VALUES, "jsonrpc": VALUES},
)
DOCUMENTS = MESSAGES | VALUES
BODIES = DOCUMENTS.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=50)
MANY = settings(examples(60), suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def thread(bridge: BridgeGateway) -> Iterator[str]:
    """A thread for the messages that name one, while another client's turn runs on, which has to come to its end."""
    with bridge.stream(bridge.turn(bridge.start_thread(), "hold bystander")) as stream:
        generation = bridge.gateway.app_server.generation
        next(event for event in stream if event.method == "item/agentMessage/delta")
        yield bridge.start_thread()
        bridge.gates["bystander"].open()
        assert list(stream)[-2].data["params"]["turn"]["status"] == "completed"
    assert bridge.gateway.app_server.generation == generation
    assert bridge.gateway.metrics.background_errors._value.get() == 0


@MANY
@given(body=BODIES, header=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=70) | st.none())
@pytest.mark.version_free
def test_any_body_of_rpc_has_its_answer(bridge: BridgeGateway, thread: str, body: bytes, header: str | None) -> None:
    body = body.replace(THREAD, thread.encode())
    answer = bridge.post("/rpc", body, **({} if header is None else {"x_codex_client": header}))
    assert answer.status_code < 500, answer.text
    if answer.status_code == 200:
        document = answer.json()
        assert document["id"] == json.loads(body)["id"] or document["id"] != document["id"]
        assert ("result" in document) != ("error" in document)
    elif answer.status_code != 204:
        assert answer.json()["error"]["message"]


@MANY
@given(
    body=BODIES,
    event_id=st.none() | st.none() | st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40),
)
@pytest.mark.full
def test_any_body_of_stream_comes_to_its_end(
    bridge: BridgeGateway, thread: str, body: bytes, event_id: str | None
) -> None:
    body = body.replace(THREAD, thread.encode())
    headers = {} if event_id is None else {"Last-Event-ID": event_id}
    with bridge.http.stream("POST", "/stream", content=body, headers=headers) as answer:
        if answer.status_code != 200:
            answer.read()
            assert answer.status_code < 500, answer.text
            assert answer.json()["error"]["message"]
            return
        events = list(events_in(answer.iter_lines()))
    names = [event.name for event in events]
    assert names[:2] in (["ready", "result"], ["ready", "error"])
    assert names[-1] == "done"
    assert len(names) == 3 or events[-2].method == "turn/completed"


@MANY
@given(name=st.sampled_from(["codex-status", "codex-thread-start", "codex-models", "codex-rpc"]), body=BODIES)
@pytest.mark.usefixtures("thread")
@pytest.mark.full
@pytest.mark.version_free
def test_any_body_of_a_named_call_has_its_answer(bridge: BridgeGateway, name: str, body: bytes) -> None:
    answer = bridge.post(f"/skills/invoke/{name}", body)
    assert answer.status_code < 500, answer.text
    assert isinstance(answer.json(), dict)


@MANY
@given(frames=st.lists(DOCUMENTS.map(json.dumps) | st.text(max_size=20) | st.binary(max_size=20), max_size=6))
@pytest.mark.version_free
def test_any_frame_of_a_socket_is_answered_or_ends_it(bridge: BridgeGateway, thread: str, frames: list[Any]) -> None:
    with bridge.socket() as client, suppress(ConnectionClosed):
        for frame in frames:
            client.connection.send(frame if isinstance(frame, bytes) else frame.replace(THREAD.decode(), thread))
        assert client.reply_to({"id": "last", "method": "model/list", "params": {"limit": 1}})["result"]["data"]
    has_bytes = any(isinstance(frame, bytes) for frame in frames)
    assert client.connection.close_code == (1003 if has_bytes else 1000)


JUNK: list[Any] = [
    None,
    True,
    0,
    -1,
    2**63,
    1.5,
    1e300,
    "",
    "x",
    "/",
    "a\0b",
    "y" * 9999,
    [],
    {},
    [None],
    [{}],
    {"a": [1]},
]


def test_every_parameter_may_have_any_type(bridge: BridgeGateway, thread: str) -> None:
    """On one connection, on a thread that there is: each message has its reply, and nothing is lost."""
    needed = {"threadId": thread, "turnId": "t", "expectedTurnId": "t", "input": [{"type": "text", "text": "hi"}]}
    messages = []
    for method, names in PARAMETERS.items():
        right = {name: value for name, value in needed.items() if name in names}
        for name in sorted(names):
            messages += [{"method": method, "params": {**right, name: junk}} for junk in JUNK]
        messages += [{"method": method, "params": junk} for junk in JUNK]
    with bridge.socket() as client:
        waiting = set(range(1000, 1000 + len(messages)))
        for number, message in enumerate(messages, 1000):
            client.send({"id": number, **message})
            while number - min(waiting, default=number) > 20:  # it does not read on while we do not
                waiting.discard(client.receive().get("id"))
        while waiting:
            waiting.discard(client.receive().get("id"))
        assert client.request("model/list", {"limit": 1})["data"]


def frame(
    opcode: int,
    payload: bytes,
    *,
    is_last: bool = True,
    reserved: int = 0,
    is_masked: bool = True,
    length: int | None = None,
) -> bytes:
    """A frame as no library sends it; `length` is what it says, where that is not so."""
    told = len(payload) if length is None else length
    head = bytes([is_last << 7 | reserved << 4 | opcode])
    if told < 126:
        head += bytes([is_masked << 7 | told])
    elif told < 1 << 16:
        head += bytes([is_masked << 7 | 126]) + told.to_bytes(2, "big")
    else:
        head += bytes([is_masked << 7 | 127]) + told.to_bytes(8, "big")
    return head + (b"\0\0\0\0" if is_masked else b"") + payload


def upgraded(bridge: BridgeGateway) -> socket.socket:
    """A connection that is a WebSocket now; what is sent is up to the caller."""
    client = socket.create_connection(("127.0.0.1", int(bridge.url.rpartition(":")[2])), DEADLINE_S)
    client.sendall(upgrade_request("localhost", "/ws", SAMPLE_KEY))
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += client.recv(1)
    assert head.startswith(b"HTTP/1.1 101")
    return client


PAYLOADS = BODIES | st.sampled_from([b"", b"\x03\xe8", b"\x03\xe8\xff", b"\x00\x01", b"\xe2\x82", b"x" * 200])
FRAMES = st.builds(
    frame,
    st.sampled_from([0, 1, 1, 1, 2, 8, 9, 10, 3, 15]),
    PAYLOADS,
    is_last=st.sampled_from([True, True, False]),
    reserved=st.sampled_from([0, 0, 0, 4]),
    is_masked=st.sampled_from([True, True, True, False]),
    length=st.none() | st.sampled_from([0, 5, 126, 1 << 17, 1 << 40, (1 << 64) - 1]),
)


@MANY
@given(pieces=st.lists(FRAMES | st.binary(max_size=20), max_size=5))
@pytest.mark.usefixtures("thread")
def test_any_bytes_of_a_socket_come_to_an_end(bridge: BridgeGateway, pieces: list[bytes]) -> None:
    with upgraded(bridge) as client:
        with suppress(ConnectionError):  # it may have closed already, here as below
            for piece in pieces:
                client.sendall(piece)
        with suppress(OSError):
            client.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError):
            while client.recv(1 << 16):
                continue


@pytest.mark.usefixtures("thread")
def test_a_message_may_come_in_pieces_and_is_bounded_as_a_whole(bridge: BridgeGateway) -> None:
    request = json.dumps({"id": 5, "method": "model/list", "params": {"limit": 1}})
    with bridge.socket() as client:
        client.connection.send(iter(request))  # a frame for each character
        client.connection.ping()
        while client.receive().get("id") != 5:
            continue
        assert client.received[-1]["result"]["data"]
    with upgraded(bridge) as client:
        for number in range(105):  # the last one is too much
            client.sendall(frame(0 if number else 1, b"x" * 10_000, is_last=False))
        told = b""
        while piece := client.recv(1 << 16):
            told += piece
    (close,) = FrameDecoder().feed(told)
    assert (close.opcode, close.payload[:2]) == (CLOSE, (1009).to_bytes(2, "big"))
