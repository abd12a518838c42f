"""The events of a turn over HTTP: live, resumable by cursor, for many streams at once."""

from __future__ import annotations

import socket
import threading

import httpx
import psutil
import pytest

from tests.gateway.turns.conftest import Serve
from tests.kit.home import FIRST_HALF, Home
from tests.kit.played_turn import PlayedTurn, finish, hold
from tests.kit.support import Json, wait_until
from tests.kit.turns_face import Sent, TurnsFaceServer, events_in

STREAMS = 500
LAZY, LINES = 40, 1000


def text_of(events: list[Sent]) -> str:
    return "".join(event.data["params"]["delta"] for event in events if event.type == "delta")


def until(events: list[Sent], text: str) -> bool:
    return text_of(events).endswith(text)


def test_a_stream_shows_what_was_and_what_comes_and_ends_with_the_answer(one_home: Home, face: TurnsFaceServer) -> None:
    turn = hold(one_home, name="held")
    with face.events("/turns/held/events") as coming:
        seen = []
        for event in coming:
            seen.append(event)
            if event.type == "delta" and text_of(seen) == FIRST_HALF:
                turn.say("more, ")
                finish(turn)
    assert [event.data["seq"] for event in seen[:-1]] == [int(event.id) for event in seen[:-1]]
    assert text_of(seen) == FIRST_HALF + "more, and the second."
    last = seen[-1]
    assert (last.type, last.id) == ("end", f"{seen[-2].id}.end")
    assert (last.data["state"], last.data["answer"]) == ("complete", text_of(seen))


def test_a_stream_is_resumed_by_its_cursor_by_another_gateway_too(one_home: Home, serve: Serve) -> None:
    turn = hold(one_home)
    first = serve()
    with first.events(f"/turns/{turn.id}/events") as coming:
        seen = [next(coming)]
        while not until(seen, FIRST_HALF):
            seen.append(next(coming))
        first.begin_to_stop()
        assert list(coming) == []  # it is cut, and nothing pretends that the turn has ended
    turn.say("more, ")
    second = serve()
    with second.events(f"/turns/{turn.id}/events?after=0", **{"Last-Event-ID": seen[-1].id}) as coming:
        finish(turn)
        rest = list(coming)
    assert int(rest[0].id) == int(seen[-1].id) + 1
    assert text_of(seen + rest) == FIRST_HALF + "more, and the second."
    assert second.client.get(f"/turns/{turn.id}/events", headers={"Last-Event-ID": rest[-1].id}).status_code == 204
    with second.events(f"/turns/{turn.id}/events?after={rest[-2].id}") as coming:
        assert [event.type for event in coming] == ["end"]


def test_an_ended_turn_is_shown_from_its_file_with_or_without_the_pieces(one_home: Home, face: TurnsFaceServer) -> None:
    turn = hold(one_home)
    finish(turn)
    for query, has_deltas in (("", True), ("?deltas=false", False)):
        with face.events(f"/turns/{turn.id[:-2]}/events{query}") as coming:
            types = [event.type for event in coming]
        assert (types[-1], "delta" in types, "message" in types) == ("end", has_deltas, True)


@pytest.mark.full
def test_the_death_of_a_worker_ends_the_stream_and_so_does_deleting_the_turn(
    one_home: Home, face: TurnsFaceServer
) -> None:
    dying, going = hold(one_home), hold(one_home)
    for turn, state in ((dying, "abandoned"), (going, "missing")):
        with face.events(f"/turns/{turn.id}/events") as coming:
            seen = [next(coming)]
            while not until(seen, FIRST_HALF):
                seen.append(next(coming))
            turn.die()
            if turn is going:
                turn.path.rename(one_home.path / "elsewhere")
            assert list(coming)[-1].data["state"] == state


def test_what_is_no_cursor_is_refused(one_home: Home, face: TurnsFaceServer) -> None:
    turn = hold(one_home)
    for given in ("x", "1.5", "-2", "1.end.end", "9" * 30):
        answers = [
            face.client.get(f"/turns/{turn.id}/events", params={"after": given}),
            face.client.get(f"/turns/{turn.id}/events", headers={"Last-Event-ID": given}),
        ]
        for answer in answers:
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_value"), given
        assert [answer.json()["error"]["param"] for answer in answers] == ["after", "Last-Event-ID"]


@pytest.mark.full
def test_the_turns_of_the_command_line_and_of_others_are_followed_at_once_without_a_thread_for_each(
    one_home: Home, face: TurnsFaceServer
) -> None:
    turns = [hold(one_home) for _ in range(3)]
    sockets = []
    for number in range(STREAMS):
        connection = socket.create_connection(("127.0.0.1", httpx.URL(face.url).port or 0))
        path = f"/turns/{turns[number % 3].id}/events"
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        sockets.append(connection)
    wait_until(lambda: all(FIRST_HALF.encode() in each.recv(1 << 20, socket.MSG_PEEK) for each in sockets[:3]))
    n_threads = threading.active_count()
    assert n_threads < STREAMS / 4, threading.enumerate()  # those of the pools, which are bounded
    for turn in turns:
        turn.say(f"of {turn.id}, ")
        finish(turn)
    for number, connection in enumerate(sockets):
        with connection:
            whole = b"".join(iter(lambda: connection.recv(1 << 20), b"")).decode()  # noqa: B023 — called at once
        assert f"of {turns[number % 3].id}, " in whole
        assert whole.count("event: end") == 1
        assert not any(turn.id in whole for turn in turns if turn is not turns[number % 3])


@pytest.mark.full
def test_a_client_that_takes_nothing_costs_a_piece_of_the_file_and_holds_up_no_other(
    one_home: Home, face: TurnsFaceServer
) -> None:
    turn = hold(one_home)
    port = httpx.URL(face.url).port or 0
    lazy = [socket.create_connection(("127.0.0.1", port)) for _ in range(LAZY)]
    for each in lazy:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        each.sendall(f"GET /turns/{turn.id}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    before = psutil.Process().memory_info().rss
    with face.client.stream("GET", f"/turns/{turn.id}/events") as answer:
        lines = answer.iter_lines()
        with (turn.path / "events.jsonl").open("ab") as file:
            for number in range(1000, 1000 + LINES):
                file.write(b'{"seq":%d,"ts":1,"dir":"in","method":"x","params":"%s"}\n' % (number, b"y" * 50_000))
        assert any(line == f"id: {999 + LINES}" for line in lines)
    grown = psutil.Process().memory_info().rss - before
    for each in lazy:
        each.close()
    assert grown < LINES * 50_000  # each of them would hold as much, and more


def test_events_are_read_in_pieces_of_whole_lines(one_home: Home, face: TurnsFaceServer) -> None:
    turn = PlayedTurn(one_home)
    pieces = [f"{number} " + "é" * (number * 997 % 90_000) for number in range(40)]
    turn.say(*pieces)
    turn.say("q" * 1_000_000)
    turn.end("z")
    answer = face.client.get(f"/turns/{turn.id}/events")
    seen: list[Json] = [event.data for event in events_in(iter(answer.text.split("\n")))]
    assert [event["seq"] for event in seen[:-1]] == sorted({event["seq"] for event in seen[:-1]})
    assert seen[-1]["answer"] == "".join(pieces) + "q" * 1_000_000 + "z"
