"""How `--answer` is parsed: which question it names, and when it need not name one."""

from __future__ import annotations

import os

import pytest

from codex_server_cli.actions.start import piped
from codex_server_cli.cli.verbs import approvals
from codex_server_cli.errors import UsageError

TWO = ["q1", "q2"]


@pytest.mark.parametrize(
    ("given", "known", "read"),
    [
        (["q1=A", "q2=b = c"], TWO, {"q1": ["A"], "q2": ["b = c"]}),
        (["q1=A", "q1=B"], TWO, {"q1": ["A", "B"]}),
        (["A"], ["q1"], {"q1": ["A"]}),
        (["it is x = y"], ["q1"], {"q1": ["it is x = y"]}),
        (["zz=A"], ["q1"], {"zz": ["A"]}),
        (["which one=A"], ["which one"], {"which one": ["A"]}),
        (["a=b=c", "a=d"], ["a", "a=b"], {"a=b": ["c"], "a": ["d"]}),
        (["q1="], ["q1"], {"q1": [""]}),
        (["A"], [], {"": ["A"]}),
        (["zz=A"], [], {"zz": ["A"]}),
    ],
)
def test_an_answer_belongs_to_the_question_that_it_names_or_to_the_only_one(
    given: list[str], known: list[str], read: dict[str, list[str]]
) -> None:
    assert approvals._by_question(given, known) == read


@pytest.mark.parametrize("given", ["A", "it is x = y"])
def test_of_several_questions_one_has_to_be_named(given: str) -> None:
    with pytest.raises(UsageError) as raised:
        approvals._by_question([given], TWO)
    assert "q1, q2" in raised.value.hint


def test_the_questions_are_those_of_the_request_that_is_meant() -> None:
    first = {"id": "0", "questions": [{"id": "q1"}]}
    second = {"id": "1", "questions": [{"id": "q2"}, {"id": "q3"}]}
    assert approvals._questions([first, second], "1") == ["q2", "q3"]
    assert approvals._questions([first], None) == ["q1"]
    assert approvals._questions([first, second], None) == []
    assert approvals._questions([first], "7") == []
    assert approvals._questions([{"id": "0", "questions": None}], "0") == []


def test_an_answer_that_no_other_process_shall_see_is_read_from_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, ours = os.pipe()
    os.write(ours, "gehéim \r\n".encode())
    os.close(ours)
    monkeypatch.setattr(piped, "_STDIN", theirs)
    assert approvals._with_stdin({"pin": ["-"], "name": ["a-b"]}) == {"pin": ["gehéim "], "name": ["a-b"]}
    os.close(theirs)


def test_only_one_answer_can_come_from_stdin() -> None:
    with pytest.raises(UsageError, match="only one"):
        approvals._with_stdin({"q1": ["-"], "q2": ["-"]})
