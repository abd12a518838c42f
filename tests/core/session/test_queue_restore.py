"""Restoring queued messages: which are missing, in which order, and none twice."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.session.queue_restore import Debt, RestoredQueue, restore_queue
from tests.kit.cases import for_each
from tests.kit.dialogue import Json
from tests.kit.queries import play_query

HELLO: Json = {"result": {}}


def entry(number: int, **more: Any) -> Json:
    """A queued message, as Codex lists it."""
    text = [{"type": "text", "text": f"message {number}"}]
    return {"id": f"q{number}", "clientUserMessageId": f"c{number}", "input": text, **more}


def queue(*entries: Json, cursor: str | None = None) -> Json:
    """The reply to `thread/queue/list`."""
    return {"result": {"data": [*entries], "nextCursor": cursor}}


def turns(*newest_first: Json) -> Json:
    """The reply to `thread/turns/list`."""
    return {"result": {"data": [*newest_first]}}


def turn(id_: str, status: str = "interrupted", number: int | None = None, *, started: Any = 101) -> Json:
    """One turn, begun with a message of another client, or ours."""
    client = {"clientId": f"c{number}"} if number is not None else {"clientId": None}
    items: list[Json] = [{"type": "userMessage", "content": entry(number or 0)["input"], **client}, {"type": "x"}]
    return {"id": id_, "status": status, "startedAt": started, "completedAt": 100, "items": items}


OURS = turn("ours", "completed", started=90)


def added(id_: str) -> Json:
    """The reply to `thread/queue/add`."""
    return {"result": {"queuedSubmission": {"id": id_}}}


def debt(*entries: Json, **more: Any) -> Debt:
    """The debt record of our turn."""
    return Debt("t", "ours", entries=entries, **more)


def test_what_was_taken_is_added_in_its_order_with_all_that_belongs_to_it() -> None:
    noted = debt(entry(1, responsesapiClientMetadata={"k": "v"}), entry(2, responsesapiClientMetadata=None))
    asked, restored = play_query(restore_queue(noted, "1"), HELLO, queue(), turns(OURS), added("n1"), added("n2"))
    assert asked[0][1]["capabilities"] == {"experimentalApi": True}
    first, second = entry(1), entry(2)
    assert asked[3:] == [
        (
            "thread/queue/add",
            {
                "threadId": "t",
                "clientUserMessageId": "c1",
                "input": first["input"],
                "responsesapiClientMetadata": {"k": "v"},
            },
        ),
        ("thread/queue/add", {"threadId": "t", "clientUserMessageId": "c2", "input": second["input"]}),
    ]
    assert restored == RestoredQueue(('"message 1"', '"message 2"'))


def test_it_stands_in_front_of_what_was_queued_since() -> None:
    replies = (queue(entry(7), cursor="more"), queue(entry(8)), turns(OURS), added("n1"), HELLO)
    asked, _ = play_query(restore_queue(debt(entry(1)), "1"), HELLO, *replies)
    assert asked[2] == ("thread/queue/list", {"threadId": "t", "cursor": "more"})
    assert asked[-1] == ("thread/queue/reorder", {"threadId": "t", "queuedSubmissionIds": ["n1", "q7", "q8"]})


@for_each(
    ("waiting", "newer"),
    [
        ([entry(1)], []),  # the delete never came through
        ([entry(1, id="another")], []),  # another client had put it back
        ([], [turn("t2", "completed", 1)]),  # it was answered
        ([], [turn("t3", "completed", 2), turn("t2", "completed", 1)]),
    ],
)
def test_what_is_there_or_was_answered_is_not_put_back(waiting: list[Json], newer: list[Json]) -> None:
    _, restored = play_query(restore_queue(debt(entry(1)), "1"), HELLO, queue(*waiting), turns(*newer, OURS))
    assert restored._replace(answered=()) == RestoredQueue()


@for_each(
    ("noted", "begun"),
    [
        (debt(), turn("t2", number=1)),  # Codex was faster than our list request
        (debt(entry(1)), turn("t2", number=1, started=999)),  # or than our delete
        (debt(begun_turn_id="t2"), turn("t2", number=1, started="odd")),
    ],
)
def test_what_codex_had_begun_is_put_back(noted: Debt, begun: Json) -> None:
    replies = (queue(entry(5)), turns(begun, OURS), added("n1"), HELLO)
    asked, restored = play_query(restore_queue(noted, "1"), HELLO, *replies)
    assert asked[3][1]["clientUserMessageId"] == "c1"
    assert restored == RestoredQueue(('"message 1"',), ('"message 1"',))


@for_each("newer", [[turn("t2", number=1, started=106)], [turn("t2", number=1, started=None)], [turn("t2")], []])
def test_what_somebody_else_interrupted_later_is_his(newer: list[Json]) -> None:
    _, restored = play_query(restore_queue(debt(), "1"), HELLO, queue(), turns(*newer, OURS))
    assert restored == RestoredQueue()


def test_what_codex_had_begun_before_our_turn_could_is_put_back_without_it() -> None:
    noted = Debt("t", None, "t2")
    newest_first = (turn("t2", number=1), turn("old", "completed", 3))
    _, restored = play_query(restore_queue(noted, "1"), HELLO, queue(), turns(*newest_first), added("n1"))
    assert restored.put_back == restored.interrupted == ('"message 1"',)


def test_an_entry_without_a_clients_id_cannot_be_told_from_another_and_stays_out() -> None:
    _, restored = play_query(restore_queue(debt({"id": "q1", "input": []}), "1"), HELLO, queue(), turns(OURS))
    assert restored == RestoredQueue()


def test_a_refusal_is_told_with_what_was_put_back_before_it() -> None:
    refused: Json = {"error": {"code": -32603, "message": "the queue is full"}}
    noted = debt(entry(1), entry(2))
    _, restored = play_query(restore_queue(noted, "1"), HELLO, queue(), turns(OURS), {"result": {"odd": 1}}, refused)
    assert restored == RestoredQueue(('"message 1"',), refusal="the queue is full")
    _, silent = play_query(restore_queue(noted, "1"), {"error": "odd"})
    assert silent.refusal == "Codex gave no message"


def test_an_endless_queue_is_read_to_an_end() -> None:
    pages = [queue(entry(number + 10), cursor="more") for number in range(50)]
    _, restored = play_query(restore_queue(debt(), "1"), HELLO, *pages, turns(OURS))
    assert restored == RestoredQueue()


def test_what_codex_brought_to_its_end_is_told_and_not_put_back() -> None:
    noted = debt(entry(1), begun_turn_id="theirs")
    asked, restored = play_query(restore_queue(noted, "1"), HELLO, queue(), turns(turn("theirs", "completed", 1), OURS))
    assert restored == RestoredQueue(answered=('"message 1"',))
    assert [method for method, _ in asked] == ["initialize", "thread/queue/list", "thread/turns/list"]


def test_each_that_codex_brought_to_its_end_behind_our_turn_is_told() -> None:
    later = turn("later", "completed", 3, started=110)
    newer = (later, turn("theirs", "completed", 2), turn("before", "completed", 1))
    _, restored = play_query(restore_queue(debt(begun_turn_id="theirs"), "1"), HELLO, queue(), turns(*newer, OURS))
    assert restored == RestoredQueue(answered=('"message 1"', '"message 2"'))


def test_what_codex_had_begun_keeps_its_place_among_what_was_taken() -> None:
    noted = debt(entry(1), entry(2), entry(3), begun_turn_id="theirs")
    replies = (HELLO, queue(), turns(turn("theirs", number=2), OURS), added("n1"), added("n2"), added("n3"))
    _, restored = play_query(restore_queue(noted, "1"), *replies)
    assert restored == RestoredQueue(('"message 1"', '"message 2"', '"message 3"'), interrupted=('"message 2"',))


@for_each(("older", "order"), [(0, "213"), (1, "123"), (2, "132")])
def test_what_codex_had_begun_unseen_has_its_place_behind_what_was_taken_before(older: int, order: str) -> None:
    noted = debt(entry(1), entry(3), begun_turn_id="theirs", older_count=older)
    replies = (HELLO, queue(), turns(turn("theirs", number=2), OURS), added("n1"), added("n2"), added("n3"))
    _, restored = play_query(restore_queue(noted, "1"), *replies)
    assert restored.put_back == tuple(f'"message {number}"' for number in order)
