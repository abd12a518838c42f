"""Answering a turn from another shell: what its worker replies, and the error where it does not reply."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from codex_server_cli.actions.control import approvals
from codex_server_cli.actions.read import read
from codex_server_cli.disk.files import read_json, write_json
from codex_server_cli.disk.turn import inbox
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import (
    AmbiguousError,
    BadInputError,
    BusyError,
    CodexServerError,
    ErrorKind,
    HomeError,
    InternalError,
    NotFoundError,
    UsageError,
)
from codex_server_cli.settings.places import Settings
from tests.kit.support import wait_until
from tests.kit.turns_on_disk import TurnsOnDisk

REQUEST = {"id": "0", "kind": "command", "message": "run touch f1"}


def act_as_worker(turn: TurnDir, do: Callable[[inbox.InboxRequest], None]) -> threading.Thread:
    """Call this on the first request that arrives."""

    def run() -> None:
        requests = wait_until(lambda: inbox.unanswered(turn), what="a request")
        do(requests[0])

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def answering(turn: TurnDir, error: CodexServerError | None, result: dict[str, Any] | None = None) -> threading.Thread:
    return act_as_worker(turn, lambda request: inbox.reply(request.path, error, result))


def test_last_is_no_name_for_a_turn_that_is_consented_to(settings: Settings, turns: TurnsOnDisk) -> None:
    turns.running()
    with pytest.raises(UsageError, match="may be another turn by now"):
        approvals.find_waiting(settings, "last")


def test_a_name_that_several_running_turns_bear_is_no_consent_to_one_of_them(
    settings: Settings, turns: TurnsOnDisk
) -> None:
    first, second = turns.running(name="fix"), turns.running(name="fix")
    with pytest.raises(AmbiguousError) as raised:
        approvals.find_waiting(settings, "fix")
    assert first.turn_id in raised.value.message
    assert second.turn_id in raised.value.message
    assert approvals.find_waiting(settings, first.turn_id).turn_id == first.turn_id


def test_a_name_of_ended_turns_and_of_one_that_runs_means_that_one(settings: Settings, turns: TurnsOnDisk) -> None:
    turns.complete(name="fix")
    running = turns.running(name="fix")
    assert approvals.find_waiting(settings, "fix").turn_id == running.turn_id


@pytest.mark.parametrize(
    ("decide", "op", "args"),
    [
        (lambda turn: approvals.approve(turn, "0"), "approve", {"request": "0", "is_for_session": False}),
        (lambda turn: approvals.approve(turn, None, is_for_session=True), "approve", {"is_for_session": True}),
        (lambda turn: approvals.decline(turn, "0"), "decline", {"request": "0"}),
        (lambda turn: approvals.reply(turn, "0", {"q1": ["A"]}), "reply", {"answers": {"q1": ["A"]}}),
    ],
)
def test_a_decision_reaches_the_worker_and_its_request_comes_back(
    turns: TurnsOnDisk, decide: Callable[[TurnDir], dict[str, Any]], op: str, args: dict[str, Any]
) -> None:
    turn = turns.running()
    seen: list[inbox.InboxRequest] = []

    def do(request: inbox.InboxRequest) -> None:
        seen.append(request)
        inbox.reply(request.path, result={"request": REQUEST})

    worker = act_as_worker(turn, do)
    assert decide(turn) == REQUEST
    worker.join()
    assert seen[0].op == op
    assert seen[0].args.items() >= args.items()


@pytest.mark.parametrize(
    "error",
    [
        NotFoundError("request 0 was approved"),
        BadInputError("request 0 asks for no words", hint="Use approve."),
        BusyError("the turn has not begun yet", kind=ErrorKind.BAD_INPUT),
        InternalError("a defect"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_the_worker_refuses_is_refused_here_in_the_same_words(turns: TurnsOnDisk, error: CodexServerError) -> None:
    turn = turns.running()
    worker = answering(turn, error)
    with pytest.raises(type(error)) as raised:
        approvals.decline(turn, "0")
    worker.join()
    assert (raised.value.message, raised.value.hint) == (error.message, error.hint)
    assert (raised.value.kind, raised.value.exit_code) == (error.kind, error.exit_code)


def test_a_reply_of_another_make_is_no_consent(turns: TurnsOnDisk) -> None:
    turn = turns.running()
    worker = act_as_worker(turn, lambda request: write_json(request.path.with_suffix(".reply"), {"version": 9}))
    with pytest.raises(InternalError, match="cannot be read"):
        approvals.decline(turn, "0")
    worker.join()


def test_text_for_a_running_turn_is_handed_over(turns: TurnsOnDisk) -> None:
    turn = turns.running()
    worker = answering(turn, None)
    approvals.steer(turn, "look left")
    worker.join()
    (request,) = turn.inbox.glob("*.json")
    assert (read_json(request) or {})["args"] == {"text": "look left"}


@pytest.mark.parametrize("text", ["", " \n", "\udcff", "a\0b"])
def test_text_that_cannot_be_sent_is_refused_before_anything_is_left(turns: TurnsOnDisk, text: str) -> None:
    turn = turns.running()
    with pytest.raises(BadInputError):
        approvals.steer(turn, text)
    assert list(turn.inbox.iterdir()) == []


def test_in_an_ended_turn_nothing_waits_and_nothing_steers(turns: TurnsOnDisk) -> None:
    turn = turns.complete(codex_turn_id="c")
    write_json(turn.pending, {"version": 1, "turn_id": turn.turn_id, "pending": [REQUEST]})
    with pytest.raises(NotFoundError, match="has ended"):
        approvals.approve(turn, "0")
    with pytest.raises(BadInputError, match="has ended") as raised:
        approvals.steer(turn, "look left")
    assert f"codex-server continue --turn {turn.turn_id}" in raised.value.hint
    assert approvals.pending_of(read.status(turn)) == []
    assert list(turn.inbox.iterdir()) == []


def test_a_turn_that_left_no_thread_is_not_said_to_be_continued(turns: TurnsOnDisk) -> None:
    with pytest.raises(BadInputError) as raised:
        approvals.steer(turns.complete(), "look left")
    assert "codex-server new" in raised.value.hint


def test_a_turn_that_dies_before_it_answers_has_ended(turns: TurnsOnDisk) -> None:
    turn = turns.running()
    worker = act_as_worker(turn, lambda _: turns.drop_lock(turn.turn_id))
    with pytest.raises(NotFoundError, match="has ended"):
        approvals.approve(turn, "0")
    worker.join()


def test_a_worker_that_does_not_answer_is_not_waited_for_for_ever(
    turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approvals, "REPLY_TIMEOUT_S", 0.05)
    with pytest.raises(BusyError, match="does not answer"):
        approvals.approve(turns.running(), "0")


def test_a_turn_that_is_not_there_is_not_found(turns: TurnsOnDisk) -> None:
    with pytest.raises(NotFoundError, match="no such turn"):
        approvals.approve(TurnDir(turns.path / "20261120-165501-482-0000"), "0")


def test_an_inbox_that_cannot_be_written_is_the_homes_fault(turns: TurnsOnDisk) -> None:
    turn = turns.running()
    turn.inbox.rmdir()
    turn.inbox.write_text("in the way")
    with pytest.raises(HomeError):
        approvals.approve(turn, "0")


@pytest.mark.parametrize("content", [None, {}, {"pending": 3}, {"pending": [3, REQUEST]}], ids=str)
def test_what_waits_is_read_from_whatever_stands_there(turns: TurnsOnDisk, content: dict[str, Any] | None) -> None:
    turn = turns.running()
    if content is not None:
        write_json(turn.pending, content)
    entries = (content or {}).get("pending")
    assert approvals.pending_of(read.status(turn)) == ([REQUEST] if isinstance(entries, list) else [])
