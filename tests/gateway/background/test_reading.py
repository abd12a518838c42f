"""Turns as responses, read by their ids: whole, as a stream from any event on, cancelled, deleted."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import httpx
import openai
import pytest

from codex_server_cli.disk.turn.compaction import compact
from tests.gateway.background.conftest import official
from tests.gateway.turns.conftest import Serve
from tests.kit.cases import for_each
from tests.kit.home import FIRST_HALF, SECOND_HALF, Home
from tests.kit.official import official_event, strangers_in
from tests.kit.played_turn import ASKING, PlayedTurn, finish, hold
from tests.kit.support import Json, wait_until
from tests.kit.turns_face import TurnsFaceServer

STREAMS = 300
BEGUN = ["response.created", "response.queued", "response.in_progress"]
DONE = ["response.output_text.done", "response.content_part.done", "response.output_item.done"]
LONG = [f"piece {n} of a text that is worth to be dropped, 😀, " for n in range(200)]


def id_of(turn: PlayedTurn) -> str:
    return f"resp_{turn.id}"


def text_of(events: Iterable[Any]) -> str:
    return "".join(event.delta for event in events if event.type == "response.output_text.delta")


def until(stream: Iterator[Any], text: str) -> list[Any]:
    """The events up to this text."""
    seen = [next(stream)]
    while text_of(seen) != text:
        seen.append(next(stream))
    return seen


def shorten(turn: PlayedTurn) -> None:
    """What a worker does at the end: the pieces of texts are gone."""
    with (turn.path / "events.jsonl").open("rb") as file:
        assert compact(turn.path / "events.jsonl", file.fileno())
    assert b"agentMessage/delta" not in turn.event_bytes


def stream_of(client: openai.OpenAI, turn: PlayedTurn, after: int | None = None) -> Any:
    more = {} if after is None else {"starting_after": after}
    return client.responses.retrieve(id_of(turn), stream=True, **more)  # type: ignore[call-overload]


def test_a_turn_of_the_command_line_is_a_response(one_home: Home, client: openai.OpenAI) -> None:
    turn = hold(one_home, "What is it?")
    running = client.responses.retrieve(id_of(turn))
    assert (running.status, running.output, running.usage, running.background) == ("in_progress", [], None, True)
    turn.say_aside("I look.")
    finish(turn)
    ended = client.responses.retrieve(id_of(turn))
    assert (ended.id, ended.status, ended.error) == (id_of(turn), "completed", None)
    assert [(item.type, item.phase) for item in ended.output if item.type == "message"] == [
        ("message", "final_answer"),
        ("message", "commentary"),
    ]
    assert ended.output_text == FIRST_HALF + SECOND_HALF + "I look."
    assert ended.usage is not None
    assert ended.usage.total_tokens == 120
    assert strangers_in(ended) == {"x_codex"}
    assert ended.model_extra is not None
    assert ended.model_extra["x_codex"]["turn_id"] == turn.id


def test_a_stream_shows_what_was_and_what_comes_and_ends_with_the_response(
    one_home: Home, client: openai.OpenAI
) -> None:
    turn = hold(one_home)
    stream = stream_of(client, turn)
    seen = until(stream, FIRST_HALF)
    assert [event.type for event in seen[:5]] == [
        *BEGUN,
        "response.output_item.added",
        "response.content_part.added",
    ]
    turn.say("more, ")
    finish(turn)
    seen += stream
    assert text_of(seen) == FIRST_HALF + "more, " + SECOND_HALF
    assert [event.type for event in seen[-4:]] == [*DONE, "response.completed"]
    assert seen[-1].response == client.responses.retrieve(id_of(turn))
    assert seen[0].response.status == seen[1].response.status == "queued"


def test_the_stream_helper_of_the_client_makes_the_same_response_of_it(one_home: Home, client: openai.OpenAI) -> None:
    turn = hold(one_home)
    finish(turn)
    with client.responses.stream(response_id=id_of(turn)) as stream:
        final = stream.get_final_response()
    assert final.output_text == FIRST_HALF + SECOND_HALF


def test_a_stream_that_broke_off_anywhere_goes_on_from_there_though_the_turn_has_ended_since(
    one_home: Home, client: openai.OpenAI
) -> None:
    turn = PlayedTurn(one_home)
    turn.say_aside("I look.")
    turn.run("true")
    stream = stream_of(client, turn)
    running: list[Any] = []
    for at in range(0, len(LONG), 10):
        turn.say(*LONG[at : at + 10])
        while text_of(running) != "I look." + "".join(LONG[: at + 10]):
            running.append(next(stream))
    turn.end("The end.")
    shorten(turn)
    whole = list(stream_of(client, turn))
    assert text_of([*running, *stream]) == text_of(whole)
    for event in running[::3]:
        before = [each for each in running if each.sequence_number <= event.sequence_number]
        after = list(stream_of(client, turn, event.sequence_number))
        assert text_of(before) + text_of(after) == text_of(whole)
        assert after[0].sequence_number > event.sequence_number
        assert after[-1] == whole[-1]
    in_a_piece = running[-1].sequence_number - 3
    assert text_of(stream_of(client, turn, in_a_piece)) == LONG[-1][-3:] + "The end."


def test_an_answer_is_whole_however_long_it_is(one_home: Home, client: openai.OpenAI) -> None:
    turn = hold(one_home)
    turn.say("😀" * 50_000)
    finish(turn)
    events = list(stream_of(client, turn))
    assert text_of(events) == FIRST_HALF + "😀" * 50_000 + SECOND_HALF
    assert events[-1].response == client.responses.retrieve(id_of(turn))


def test_behind_its_end_nothing_comes_and_a_number_that_never_was_gets_the_end(
    one_home: Home, client: openai.OpenAI
) -> None:
    turn = hold(one_home)
    finish(turn)
    last = list(stream_of(client, turn))[-1].sequence_number
    assert list(stream_of(client, turn, last)) == []
    assert [event.type for event in stream_of(client, turn, last + 1000)] == ["response.completed"]


def test_the_end_of_the_gateway_is_an_error_and_the_next_gateway_goes_on(one_home: Home, serve: Serve) -> None:
    turn = hold(one_home)
    first = serve()
    with official(first.url) as client:
        stream = stream_of(client, turn)
        seen = until(stream, FIRST_HALF)
        first.begin_to_stop()
        with pytest.raises(openai.APIError, match="shutting down"):
            list(stream)
    turn.say("more, ")
    with official(serve().url) as client:
        stream = stream_of(client, turn, seen[-1].sequence_number)
        finish(turn)
        assert text_of([*seen, *stream]) == FIRST_HALF + "more, " + SECOND_HALF


def test_the_error_that_ends_a_stream_has_the_number_to_go_on_from(one_home: Home, serve: Serve) -> None:
    turn, gateway = hold(one_home), serve()
    with gateway.client.stream("GET", f"/v1/responses/{id_of(turn)}?stream=true") as answer:
        lines = answer.iter_lines()
        told = next(json.loads(line[6:]) for line in lines if FIRST_HALF in line)
        gateway.begin_to_stop()
        failed = [json.loads(line[6:]) for line in lines if line.startswith("data: ")][-1]
    inner = failed.pop("error")
    assert official_event(failed).sequence_number == told["sequence_number"]
    assert (failed["code"], inner["code"]) == ("gateway_stopping", "gateway_stopping")


def test_a_response_is_cancelled_once_and_for_all(one_home: Home, client: openai.OpenAI) -> None:
    turn = hold(one_home)
    stream = stream_of(client, turn)
    seen = until(stream, FIRST_HALF)
    cancelled = client.responses.cancel(id_of(turn))
    assert (cancelled.status, cancelled.output_text, cancelled.error) == ("cancelled", FIRST_HALF, None)
    seen += stream
    assert (seen[-1].type, seen[-1].response.status) == ("response.incomplete", "cancelled")
    assert client.responses.cancel(id_of(turn)) == cancelled == client.responses.retrieve(id_of(turn))


def test_cancelling_what_has_ended_changes_nothing(one_home: Home, client: openai.OpenAI) -> None:
    turn = hold(one_home)
    finish(turn)
    assert client.responses.cancel(id_of(turn)).status == "completed"


def test_a_response_that_failed_says_why(one_home: Home, client: openai.OpenAI) -> None:
    limited, lost = hold(one_home), hold(one_home)
    limited.fail(message="You have hit your usage limit.")
    lost.die()
    for turn, code, kind in ((limited, "rate_limit_exceeded", "usage_limit"), (lost, "server_error", "worker_died")):
        event = list(stream_of(client, turn))[-1]
        assert (event.type, event.response.status) == ("response.failed", "failed")
        assert (event.response.error.code, event.response.error.type) == (code, kind)
        assert event.response.output_text == FIRST_HALF
        assert event.response == client.responses.retrieve(id_of(turn))


def test_one_that_waits_for_a_person_is_in_progress_and_says_so(one_home: Home, client: openai.OpenAI) -> None:
    turn = PlayedTurn(one_home, **ASKING)
    turn.ask_approval("rm x")
    response = client.responses.retrieve(id_of(turn))
    assert response.status == "in_progress"
    assert response.model_extra is not None
    assert response.model_extra["x_codex"]["phase"] == "waiting_approval"


def test_one_that_waits_for_its_place_is_queued(one_home: Home, client: openai.OpenAI) -> None:
    hold(one_home, max_running=1)
    waiting = PlayedTurn(one_home, has_begun=False)
    assert client.responses.retrieve(id_of(waiting)).status in ("queued", "in_progress")


def test_deleting_waits_for_the_end(one_home: Home, client: openai.OpenAI) -> None:
    turn = hold(one_home)
    with pytest.raises(openai.ConflictError, match="still running"):
        client.responses.delete(id_of(turn))
    finish(turn)
    client.responses.delete(id_of(turn))
    assert not turn.path.exists()
    with pytest.raises(openai.NotFoundError) as caught:
        client.responses.retrieve(id_of(turn))
    assert caught.value.code == "response_not_found"


def test_a_response_that_is_deleted_under_its_stream_ends_it_with_an_error(
    one_home: Home, client: openai.OpenAI
) -> None:
    turn = hold(one_home)
    stream = stream_of(client, turn)
    until(stream, FIRST_HALF)
    turn.die()
    turn.path.rename(one_home.path / "elsewhere")
    with pytest.raises(openai.APIError, match="deleted"):
        list(stream)


def test_what_it_was_asked_is_a_list(one_home: Home, client: openai.OpenAI) -> None:
    turn = hold(one_home, "What is it?")
    (item,) = client.responses.input_items.list(id_of(turn)).data
    assert item.type == "message"
    assert item.role == "user"
    assert [part.text for part in item.content if part.type == "input_text"] == ["What is it?"]
    assert item.id is not None
    assert client.responses.input_items.list(id_of(turn), after=item.id, order="asc").data == []


def test_an_id_that_is_none_is_not_found(client: openai.OpenAI, face: TurnsFaceServer) -> None:
    for id_ in ("resp_last", "resp_20261120-165501-482-7f3a", "resp_20261120"):
        for ask in (client.responses.retrieve, client.responses.cancel, client.responses.delete):
            with pytest.raises(openai.NotFoundError):
                ask(id_)
        with pytest.raises(openai.NotFoundError):
            client.responses.input_items.list(id_)


@for_each("query, param", [("starting_after=x", "starting_after"), ("stream=maybe", "stream")])
def test_a_question_that_is_wrong_is_refused(one_home: Home, face: TurnsFaceServer, query: str, param: str) -> None:
    turn = hold(one_home)
    answer = face.client.get(f"/v1/responses/{id_of(turn)}?{query}")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_what_else_a_client_may_ask_for_has_no_effect(one_home: Home, client: openai.OpenAI) -> None:
    turn = hold(one_home)
    finish(turn)
    included: Any = ["reasoning.encrypted_content", "message.output_text.logprobs"]
    response = client.responses.retrieve(id_of(turn), include=included, extra_query={"x": ["1", "2"]})
    assert response.status == "completed"


def test_a_head_of_a_stream_is_no_stream(one_home: Home, face: TurnsFaceServer) -> None:
    answer = face.client.head(f"/responses/{id_of(hold(one_home))}?stream=true")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")


@pytest.mark.full
def test_many_streams_cost_no_thread_each(one_home: Home, face: TurnsFaceServer) -> None:
    turn = hold(one_home)
    sockets = []
    for _ in range(STREAMS):
        connection = socket.create_connection(("127.0.0.1", httpx.URL(face.url).port or 0))
        path = f"/v1/responses/{id_of(turn)}?stream=true"
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        sockets.append(connection)
    wait_until(lambda: all(FIRST_HALF.encode() in each.recv(1 << 20, socket.MSG_PEEK) for each in sockets))
    assert threading.active_count() < STREAMS / 4, threading.enumerate()  # those of the pools, which are bounded
    finish(turn)
    for connection in sockets:
        with connection:
            whole = b"".join(iter(lambda: connection.recv(1 << 20), b""))  # noqa: B023 — called at once
        assert whole.count(b"event: response.completed") == 1


_REFUSED: dict[str, tuple[Json, str]] = {
    "tools": ({"tools": [{"type": "function", "name": "f"}]}, "tools"),
    "no response": ({"previous_response_id": "resp_1"}, "previous_response_id"),
    "a response that is gone": ({"previous_response_id": "resp_20261120-165501-482-7f3a"}, "previous_response_id"),
    "a second key": ({}, "Idempotency-Key"),
}


@for_each("name, body, param", [(name, *each) for name, each in _REFUSED.items()], ids=[*_REFUSED])
def test_what_cannot_be_started_is_refused_and_starts_nothing(
    one_home: Home, face: TurnsFaceServer, name: str, body: Json, param: str
) -> None:
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")] if name == "a second key" else []
    answer = face.client.post("/v1/responses", json={"input": "hi", "background": True, **body}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert one_home.turn_ids == []


def test_what_is_not_all_there_is_not_gone_on_from_at_once(one_home: Home, client: openai.OpenAI) -> None:
    first = hold(one_home)
    finish(first)
    second = hold(one_home)
    finish(second)
    (second.path / "meta.json").write_text(json.dumps({**second.meta, "resumed_from": first.id}))
    client.responses.delete(id_of(first))
    with pytest.raises(openai.BadRequestError, match=f"{id_of(second)} goes on from {id_of(first)}") as caught:
        client.responses.create(input="hi", previous_response_id=id_of(second))
    assert (caught.value.param, caught.value.code) == ("previous_response_id", "previous_response_not_found")


def test_a_turn_that_may_do_more_is_not_continued_from_here(one_home: Home, client: openai.OpenAI) -> None:
    turn = hold(one_home, has_network=True)
    finish(turn)
    with pytest.raises(openai.PermissionDeniedError, match="--allow-raw-rpc"):
        client.responses.create(input="hi", background=True, previous_response_id=id_of(turn))
    assert client.responses.retrieve(id_of(turn)).status == "completed"


def test_a_response_that_is_in_progress_is_not_continued(one_home: Home, client: openai.OpenAI) -> None:
    turn = hold(one_home)
    for is_background in (True, False):
        with pytest.raises(openai.BadRequestError, match="still in progress") as caught:
            client.responses.create(input="hi", background=is_background, previous_response_id=id_of(turn))
        assert (caught.value.param, caught.value.code) == ("previous_response_id", "response_in_progress")
    assert one_home.turn_ids == [turn.id]


def test_a_conversation_keeps_its_instructions(one_home: Home, client: openai.OpenAI) -> None:
    turn = hold(one_home)
    finish(turn)
    with pytest.raises(openai.BadRequestError, match="keeps those that it began") as caught:
        client.responses.create(input="hi", background=True, previous_response_id=id_of(turn), instructions="Be brief.")
    assert caught.value.param == "instructions"
