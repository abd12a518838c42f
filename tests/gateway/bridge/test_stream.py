"""`POST /stream`: every event of one call and its turn, to its end; how it is resumed; a client that leaves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from codex_server_cli.gateway import connection_limits
from codex_server_cli.gateway.bridge import frames, turn_stream
from tests.kit.bridge import SECOND, BridgeGateway, Event, events_in
from tests.kit.support import DEADLINE_S, wait_until


def until(events: Iterator[Event], method: str) -> Event:
    return next(event for event in events if event.method == method)


def text_of(events: list[Event]) -> str:
    return "".join(event.data["params"]["delta"] for event in events if event.method == "item/agentMessage/delta")


def resumed(bridge: BridgeGateway, event_id: str, method: str = "GET") -> list[Event]:
    with bridge.http.stream(method, "/stream", headers={"Last-Event-ID": event_id}) as answer:
        assert answer.status_code == 200, answer.read()
        return list(events_in(answer.iter_lines()))


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that leaves is given up soon."""
    monkeypatch.setattr(turn_stream, "GRACE_S", 0.5)


def test_a_turn_is_streamed_to_its_end(bridge: BridgeGateway) -> None:
    thread_id = bridge.start_thread()
    with bridge.stream(bridge.turn(thread_id, "hello", ["my", "id"])) as stream:
        events = list(stream)
    assert [event.name for event in events[:2]] == ["ready", "result"]
    assert (events[-1].name, events[-2].method) == ("done", "turn/completed")
    assert {event.name for event in events[2:-1]} == {"notification"}
    assert events[1].data["id"] == ["my", "id"]
    turn_id = events[1].data["result"]["turn"]["id"]
    assert text_of(events) == "You said hello"
    assert events[-2].data["params"]["turn"] == {
        **events[-2].data["params"]["turn"],
        "id": turn_id,
        "status": "completed",
    }
    turns = {
        params.get("turnId") or params.get("turn", {}).get("id") for params in (e.data["params"] for e in events[2:-1])
    }
    assert turns <= {turn_id, None}
    numbers = [event.id.rpartition(".") for event in events]
    assert [int(number) for _, _, number in numbers] == list(range(1, len(events) + 1))
    assert {stream_id for stream_id, _, _ in numbers} == {events[0].data["stream"]}


def test_the_answer_s_headers_keep_proxies_from_holding_it_back(bridge: BridgeGateway) -> None:
    with bridge.http.stream("POST", "/stream", json={"id": 1, "method": "model/list", "params": {}}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-cache, no-transform"
        events = list(events_in(answer.iter_lines()))
    assert [event.name for event in events] == ["ready", "result", "done"]


def test_an_error_of_the_app_server_ends_the_stream(bridge: BridgeGateway) -> None:
    with bridge.stream(bridge.turn("01a1fa42-6c80-78a2-9b1e-8e0f86b82eb3", "hello", "x")) as stream:
        events = list(stream)
    assert [event.name for event in events] == ["ready", "error", "done"]
    assert events[1].data["id"] == "x"
    assert events[1].data["error"]["code"] == -32600


def test_a_turn_that_fails_is_streamed_to_its_end(bridge: BridgeGateway) -> None:
    thread_id = bridge.start_thread(model="gpt-5.5")
    with bridge.stream(bridge.turn(thread_id, "hello", outputSchema={"type": "object"}, effort="")) as stream:
        events = list(stream)
    assert [event.name for event in events][-2:] in (["error", "done"], ["notification", "done"])


def test_two_streams_at_once_get_their_own_events(bridge: BridgeGateway) -> None:
    first_id, second_id = bridge.start_thread(), bridge.start_thread()
    with (
        bridge.stream(bridge.turn(first_id, "hold one")) as first,
        bridge.stream(bridge.turn(second_id, "hold two")) as second,
    ):
        begun = [until(stream, "item/agentMessage/delta") for stream in (first, second)]
        bridge.gates["two"].open()
        rest = list(second)
        bridge.gates["one"].open()
        assert text_of([begun[0], *first]) == f"hold one {SECOND}"
        assert text_of([begun[1], *rest]) == f"hold two {SECOND}"
    assert {event.data["params"]["threadId"] for event in rest[:-1]} == {second_id}


def test_a_stream_is_resumed_after_the_last_event_that_was_seen(
    bridge: BridgeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn_stream, "GRACE_S", DEADLINE_S)
    thread_id = bridge.start_thread()
    with bridge.stream(bridge.turn(thread_id, "hold back")) as stream:
        seen = [next(stream) for _ in range(3)]
    bridge.gates["back"].wait_until_reached()
    bridge.gates["back"].open()
    rest = resumed(bridge, seen[-1].id)
    assert text_of([*seen, *rest]) == f"hold back {SECOND}"
    numbers = [int(event.id.rpartition(".")[2]) for event in [*seen, *rest]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert rest[-2].data["params"]["turn"]["status"] == "completed"
    assert resumed(bridge, seen[-1].id, "POST") == rest, "by either method, and again"
    assert bridge.http.get("/stream", headers={"Last-Event-ID": rest[-1].id}).status_code == 204


def test_a_stream_that_is_not_there_is_not_begun_again(bridge: BridgeGateway) -> None:
    requests = len(bridge.model.model_requests)
    message = bridge.turn(bridge.start_thread(), "hello")
    for event_id, status in (("0" * 32 + ".1", 410), ("x", 400), ("", 400), ("0" * 32 + ".-1", 400)):
        answer = bridge.post("/stream", message, last_event_id=event_id)
        assert answer.status_code == status
    with bridge.stream({"id": 1, "method": "model/list", "params": {}}) as stream:
        last = list(stream)[-1].id
    name, _, number = last.rpartition(".")
    assert bridge.http.get("/stream", headers={"Last-Event-ID": f"{name}.{int(number) + 1}"}).status_code == 410
    assert bridge.http.get("/stream").status_code == 400
    assert len(bridge.model.model_requests) == requests


@pytest.mark.usefixtures("short_grace")
def test_a_client_that_leaves_has_its_turn_interrupted_and_nothing_else(bridge: BridgeGateway) -> None:
    gone_id, staying_id = bridge.start_thread(), bridge.start_thread()
    with bridge.stream(bridge.turn(staying_id, "hold staying")) as staying:
        until(staying, "item/agentMessage/delta")
        with bridge.stream(bridge.turn(gone_id, "hold gone")) as stream:
            last = until(stream, "item/agentMessage/delta")
        wait_until(lambda: bridge.status_of(gone_id) == "idle", what="the interrupt")
        assert bridge.status_of(staying_id) == "active"
        bridge.gates["staying"].open()
        assert list(staying)[-2].data["params"]["turn"]["status"] == "completed"
    assert resumed(bridge, last.id)[-2].data["params"]["turn"]["status"] == "interrupted"
    with bridge.stream(bridge.turn(gone_id, "again")) as stream:
        assert text_of(list(stream)) == "You said again"


@pytest.mark.usefixtures("short_grace")
def test_the_command_of_a_client_that_leaves_ends_with_its_turn(bridge: BridgeGateway) -> None:
    thread_id = bridge.start_thread()
    with bridge.stream(bridge.turn(thread_id, "run sleep 4321")) as stream:
        while (event := until(stream, "item/started")).data["params"]["item"]["type"] != "commandExecution":
            continue
        assert event.data["params"]["item"]["status"] == "inProgress"
        wait_until(lambda: sleeping("4321"), what="the command")
    wait_until(lambda: bridge.status_of(thread_id) == "idle", what="the interrupt")
    wait_until(lambda: not sleeping("4321"), what="the end of the command")


def sleeping(seconds: str) -> bool:
    return any(each.info["cmdline"] == ["sleep", seconds] for each in psutil.process_iter(["cmdline"]))


@pytest.mark.usefixtures("short_grace")
def test_a_client_that_steers_another_s_turn_and_leaves_does_not_end_it(bridge: BridgeGateway) -> None:
    thread_id = bridge.start_thread()
    with bridge.stream(bridge.turn(thread_id, "hold steered")) as stream:
        turn_id = next(event for event in stream if event.name == "result").data["result"]["turn"]["id"]
        until(stream, "item/agentMessage/delta")
        params = {"threadId": thread_id, "expectedTurnId": turn_id, "input": [{"type": "text", "text": "more"}]}
        for message in ({"id": 2, "method": "turn/steer", "params": params}, bridge.turn(thread_id, "joins it", 3)):
            with bridge.stream(message) as other:
                assert [next(other).name, next(other).name] == ["ready", "result"]
        bridge.call("thread/read", {"threadId": thread_id})
        bridge.gates["steered"].open()
        events = list(stream)
    assert events[-2].data["params"]["turn"] == {
        **events[-2].data["params"]["turn"],
        "id": turn_id,
        "status": "completed",
    }


BAD: list[tuple[bytes, int]] = [
    (b"", 400),
    (b"{", 400),
    (b"[]", 400),
    (b"{}", 400),
    (b'{"method":"initialized"}', 400),
    (b'{"id":1,"result":{}}', 400),
    (b'{"id":1,"method":"initialize","params":{}}', 400),
    (b'{"id":1,"method":"turn/start","params":{"threadId":"t","input":"hi"}}', 400),
    (b'{"id":1,"method":"turn/start","params":{"threadId":"t","input":[],"cwd":"/"}}', 403),
    (b'{"id":1,"method":"thread/shellCommand","params":{"threadId":"t","command":"true"}}', 403),
]


def test_what_begins_no_stream_is_told_by_a_status(bridge: BridgeGateway) -> None:
    for body, status in BAD:
        answer = bridge.post("/stream", body)
        assert answer.status_code == status, (body, answer.text)
        assert answer.json()["error"]["message"]


def test_streams_wait_for_their_place_and_too_many_are_refused(
    bridge: BridgeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    admission = bridge.gateway.admission
    monkeypatch.setattr(admission, "_free", 1)
    monkeypatch.setattr(admission, "_most_waiting", 1)
    thread_id = bridge.start_thread()
    with bridge.stream(bridge.turn(thread_id, "hold place")) as first:
        until(first, "item/agentMessage/delta")
        waited: list[Any] = []

        def wait() -> None:
            with bridge.stream({"id": 1, "method": "model/list", "params": {}}) as stream:
                waited.extend(stream)

        waiting = threading.Thread(target=wait)
        waiting.start()
        wait_until(lambda: len(admission._waiting) == 1, what="the second stream")
        answer = bridge.post("/stream", {"id": 1, "method": "model/list", "params": {}})
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "gateway_busy")
        assert answer.headers["retry-after"] == "1"
        bridge.gates["place"].open()
        list(first)
        waiting.join()
    assert [event.name for event in waited] == ["ready", "result", "done"]


@pytest.mark.full
def test_a_client_that_stops_reading_costs_bounded_memory_and_disturbs_no_other(
    bridge: BridgeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_limits, "STUCK_S", 1.0)
    monkeypatch.setattr(frames.Frames.__init__, "__defaults__", (1 << 20,))
    monkeypatch.setattr(turn_stream, "GRACE_S", 0.5)
    thread_id = bridge.start_thread()
    with bridge.sent("/stream", bridge.turn(thread_id, "big slow"), receive_bytes=4096):
        wait_until(lambda: bridge.has_asked_for("big slow"), what="the turn")
        with bridge.stream(bridge.turn(bridge.start_thread(), "hello")) as other:
            assert text_of(list(other)) == "You said hello"
        wait_until(lambda: bridge.status_of(thread_id) == "idle", what="the interrupt")
    bridge.gates["slow"].open()
