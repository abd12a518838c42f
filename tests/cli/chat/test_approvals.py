"""Inline requests: one at a time, decided only by a line that was typed for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codex_server_cli.actions.control import approvals
from codex_server_cli.actions.conversation import ChatTurn
from codex_server_cli.cli.chat.approvals import ApprovalDialog, named
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import BadInputError, BusyError, HomeError, NotFoundError
from codex_server_cli.render.chat_blocks import Block, BlockKind

FIRST: dict[str, Any] = {"id": "0", "kind": "command", "answer_with": "approve", "command": "ls", "can_last": True}
SECOND = FIRST | {"id": "1", "command": "pwd"}
FIELD = {"id": "size", "question": "Your size?", "isRequired": False}
SECRET = {"id": "pin", "question": "Your PIN?", "isSecret": True}
FORM: dict[str, Any] = {"id": "2", "kind": "elicitation", "answer_with": "reply", "questions": [FIELD, SECRET]}


class PromptUser:
    """The user at the prompt, and a worker with scripted answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.said: list[Block] = []
        self.drafts: list[str] = []
        self.has_seen = 0
        self.calls: list[tuple[Any, ...]] = []
        self.error: Exception | None = None
        for name in ("approve", "decline", "reply"):
            monkeypatch.setattr(approvals, name, self._worker(name))
        chat_turn = ChatTurn(TurnDir(Path("/turns/20261120-165501-482-7f3a")))
        self.dialog = ApprovalDialog(chat_turn, lambda *blocks: self.said.extend(blocks), self, self._pass_on)

    def _worker(self, name: str) -> Callable[..., None]:
        def call(_directory: TurnDir, *arguments: Any, **more: Any) -> None:
            self.calls.append((name, *arguments, *more.values()))
            if self.error is not None:
                raise self.error

        return call

    async def _pass_on(self, text: str) -> None:
        self.calls.append(("pass on", text))

    def set_aside(self) -> None:
        self.drafts.append("aside")

    def bring_back(self, *, was_secret: bool = False) -> None:
        self.drafts.append("back, less a secret" if was_secret else "back")

    def begin_reading(self) -> None:
        self.has_seen = len(self.said)

    def types(self, entry: dict[str, Any], line: str) -> None:
        asyncio.run(self.dialog.answer(entry, line))

    @property
    def notes(self) -> list[str]:
        return [block.text for block in self.said if block.kind is BlockKind.NOTE]


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> PromptUser:
    return PromptUser(monkeypatch)


@pytest.mark.parametrize(
    ("line", "calls"),
    [
        ("y", [("approve", "0", False)]),
        ("a", [("approve", "0", True)]),
        ("n", [("decline", "0")]),
        ("n because", [("decline", "0"), ("pass on", "because")]),
        ("hm", []),
    ],
)
def test_a_line_becomes_the_decision_that_it_is(person: PromptUser, line: str, calls: list[tuple[Any, ...]]) -> None:
    person.dialog.update([FIRST])
    assert person.dialog.hint.startswith("y once")
    person.types(FIRST, line)
    assert person.calls == calls
    assert (person.dialog.entry is None) is bool(calls)
    assert person.drafts == (["aside", "back"] if calls else ["aside"])


def test_a_line_that_came_too_late_is_named_by_its_beginning_and_a_secret_not_at_all() -> None:
    assert named(FIRST, "y") == "“y”"
    assert named(FIRST, "line\n" * 5000) == f"“{'line ' * 11}line…”"
    assert named(FORM, "1234") == "that answer"


def test_requests_are_asked_one_after_the_other_and_a_decided_one_not_again(person: PromptUser) -> None:
    person.dialog.update([FIRST, SECOND])
    person.types(FIRST, "y")
    person.dialog.update([FIRST, SECOND])
    assert person.dialog.entry == SECOND
    person.types(FIRST, "y")
    assert person.calls == [("approve", "0", False)]
    assert person.notes == ["nothing waits any more for “y”"]


def test_what_was_answered_elsewhere_is_withdrawn(person: PromptUser) -> None:
    person.dialog.update([FIRST])
    person.dialog.update([])
    assert (person.dialog.entry, person.dialog.hint) == (None, "")
    assert person.notes == ["it waits no more: answered elsewhere, out of time, or its turn has ended"]
    assert person.drafts == ["aside", "back"]


@pytest.mark.parametrize(
    ("error", "still_asks"),
    [
        (NotFoundError("request 0 was declined"), False),
        (BusyError("no answer"), True),
        (HomeError("cannot write"), True),
        (BadInputError("not so"), True),
    ],
)
def test_a_decision_that_fails_says_why_and_what_was_unfit_is_asked_again(
    person: PromptUser, error: Exception, still_asks: bool
) -> None:
    person.dialog.update([FIRST])
    person.error = error
    person.types(FIRST, "y")
    assert person.notes == [str(error)]
    person.dialog.update([FIRST])
    assert (person.dialog.entry is not None) is still_asks


def test_a_decision_that_fails_names_the_next_step(person: PromptUser) -> None:
    person.dialog.update([FIRST])
    person.error = BusyError("no answer", hint="It may still come.")
    person.types(FIRST, "y")
    assert person.notes == ["no answer. It may still come."]


def test_what_was_sent_to_a_worker_that_did_not_answer_may_be_what_decided(person: PromptUser) -> None:
    person.dialog.update([FIRST])
    person.error = BusyError("no answer")
    person.types(FIRST, "y")
    person.dialog.update([])
    assert person.notes[-1].startswith("it waits no more: what you sent was taken, or it was answered elsewhere")


def test_what_is_none_of_the_choices_leaves_the_question_standing(person: PromptUser) -> None:
    colour = {"id": "q1", "question": "Which?", "options": [{"label": "Red"}, {"label": "Blue"}]}
    asks = {"id": "3", "answer_with": "reply", "questions": [colour]}
    person.dialog.update([asks])
    person.types(asks, "y")
    assert (person.notes, person.calls) == (["that is none of the choices: type 1 or 2"], [])
    person.types(asks, "2")
    assert person.calls == [("reply", "3", {"q1": ["Blue"]})]


def test_a_form_is_filled_in_field_by_field(person: PromptUser) -> None:
    person.dialog.update([FORM])
    assert (person.dialog.hint, person.dialog.is_secret) == ("type your answer", False)
    person.types(FORM, "")
    assert person.dialog.is_secret
    person.types(FORM, "")
    assert person.notes == ["an answer is needed; /decline gives none"]
    person.types(FORM, "1234")
    assert person.calls == [("reply", "2", {"pin": ["1234"]})]
    assert person.dialog.entry is None
    assert "1234" not in "".join(block.text for block in person.said)


def test_an_answer_that_does_not_fit_begins_the_form_again(person: PromptUser) -> None:
    person.dialog.update([FORM])
    person.error = BadInputError("size: 'x' is not of type 'integer'")
    for line in ("x", "1234"):
        person.types(FORM, line)
    assert person.notes == ["size: 'x' is not of type 'integer'"]
    person.error = None
    for line in ("7", "1234"):
        person.types(FORM, line)
    assert person.calls[-1] == ("reply", "2", {"size": ["7"], "pin": ["1234"]})


def test_a_request_is_shown_whole_and_is_being_read_only_once_it_is_drawn(person: PromptUser) -> None:
    patch = {"path": "/p/a", "kind": {"type": "add"}, "diff": "".join(f"line {number}\n" for number in range(200))}
    person.dialog.update([FIRST | {"kind": "patch", "command": None, "changes": [patch]}])
    (block,) = person.said
    assert all(f"line {number}\n" in f"{block.text}\n" for number in range(200))
    assert (person.has_seen, person.dialog.shown) == (1, 1)


def test_each_question_of_a_form_is_read_by_itself(person: PromptUser) -> None:
    person.dialog.update([FORM])
    assert (person.has_seen, person.dialog.shown) == (1, 1)
    person.types(FORM, "7")
    assert (person.has_seen, person.dialog.shown) == (3, 2)


def test_half_of_a_secret_that_is_withdrawn_is_left_to_the_editor_to_swallow(person: PromptUser) -> None:
    person.dialog.update([FORM | {"questions": [SECRET]}])
    person.dialog.update([])
    assert person.drafts == ["aside", "back, less a secret"]


def test_a_secret_that_comes_too_late_is_not_repeated(person: PromptUser) -> None:
    person.dialog.update([FORM])
    person.dialog.update([])
    person.types(FORM, "1234")
    assert person.notes[-1] == "nothing waits any more for that answer"


def test_an_interruption_is_not_told_as_an_answer_from_elsewhere(person: PromptUser) -> None:
    person.dialog.update([FIRST])
    person.dialog.is_interrupted = True
    person.dialog.update([])
    assert person.notes == ["the turn was interrupted"]
