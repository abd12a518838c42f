"""The inline prompts for a person, and what their line decides: only an explicit yes is consent."""

from __future__ import annotations

from typing import Any

from codex_server_cli.render import approvals as approval_text
from codex_server_cli.render.approvals import Decided, Verdict
from tests.kit.cases import for_each

COMMAND: dict[str, Any] = {
    "id": "0",
    "kind": "command",
    "answer_with": "approve",
    "can_last": True,
    "reason": "need it",
    "command": "/bin/bash -lc 'touch f1'",
    "cwd": "/project",
}
ONCE_ONLY = COMMAND | {"can_last": False}
OPTIONS = [{"label": "Red", "description": "warm"}, {"label": "Blue"}, {"label": "Green"}]
QUESTION: dict[str, Any] = {"id": "q", "header": "Colour", "question": "Which colour?", "options": OPTIONS}


def patch(diff: str) -> dict[str, Any]:
    changes = [{"path": "/p/a", "kind": {"type": "add"}, "diff": diff}]
    return COMMAND | {"kind": "patch", "command": None, "reason": None, "changes": changes}


# --- requests


def test_a_command_is_shown_as_it_would_be_run_with_its_place_and_reason() -> None:
    text = approval_text.request_text(COMMAND)
    assert text.startswith("Codex asks to run this outside of the sandbox\n$ /bin/bash -lc 'touch f1'\n")
    assert text.endswith("in /project\nreason: need it")


def test_a_patch_is_shown_with_its_paths_and_each_diff_to_its_end() -> None:
    assert (
        approval_text.request_text(patch("one\ntwo\n")) == "Codex asks to write this\n± /p/a new, 2 lines\n+one\n+two"
    )
    assert approval_text.request_text(patch("line\n" * 100)).count("\n+line") == 100
    assert approval_text.request_text(patch("one\n\n\n")).endswith("\n+one\n+\n+")


@for_each(
    ("entry", "text"),
    [
        ({"kind": "command", "network": {"host": "example.com"}}, "Codex asks to let a command reach example.com"),
        (
            {"kind": "permissions", "permissions": {"network": True, "fileSystem": None}},
            'Codex asks for more permissions\npermissions: {"network": true}',
        ),
        (
            {"kind": "mcp_tool", "server": "files", "message": "Allow rm?", "arguments": {"path": "ä"}},
            'Codex asks: Allow rm?\nwith: {"path": "ä"}',
        ),
        (
            {"kind": "elicitation", "server": "shop", "message": "Really?", "url": "https://a.example"},
            "shop asks: Really?\nurl: https://a.example",
        ),
        ({"kind": "something new", "message": "Well?"}, "Codex asks: Well?"),
        ({"kind": "patch", "changes": [], "grant_root": "/p"}, "Codex asks to write this\nbelow: /p"),
        (
            {"kind": "elicitation", "answer_with": "reply", "server": "shop", "message": "Your size"},
            "shop asks: Your size",
        ),
        ({"kind": "question", "answer_with": "reply", "message": "Which?"}, ""),
    ],
)
def test_whatever_is_asked_says_what_it_is(entry: dict[str, Any], text: str) -> None:
    assert approval_text.request_text(entry) == text


# --- approvals


@for_each(
    ("line", "decided"),
    [
        ("y", Decided(Verdict.ONCE)),
        (" YES ", Decided(Verdict.ONCE)),
        ("a", Decided(Verdict.SESSION)),
        ("always", Decided(Verdict.SESSION)),
        ("n", Decided(Verdict.DECLINE)),
        ("No use the other file", Decided(Verdict.DECLINE, "use the other file")),
        ("y but carefully", None),
        ("a little", None),
        ("", None),
        ("ok", None),
        ("why?", None),
    ],
)
def test_only_what_says_so_decides(line: str, decided: Decided | None) -> None:
    assert approval_text.read_verdict(COMMAND, line) == decided


def test_what_cannot_last_is_not_offered_for_the_session() -> None:
    assert approval_text.read_verdict(ONCE_ONLY, "a") is None
    assert approval_text.verdict_choices(ONCE_ONLY) == "y once · n decline (n TEXT: and say why)"
    assert approval_text.verdict_choices(COMMAND) == "y once · a for this turn · n decline (n TEXT: and say why)"


# --- questions


def test_a_question_is_shown_with_its_numbered_options() -> None:
    text = "Colour: Which colour?\n  1  Red — warm\n  2  Blue\n  3  Green"
    assert approval_text.question_text(QUESTION) == text
    assert approval_text.question_text(QUESTION | {"isOther": True}) == f"{text}\n     or your own words"
    assert approval_text.question_text({"header": "Size", "question": "Size"}) == "Size"
    assert approval_text.question_text({"question": "Size?"}) == "Size?"


@for_each(
    ("count", "is_other", "choices"),
    [
        (0, False, "type your answer"),
        (1, False, "type 1"),
        (2, False, "type 1 or 2"),
        (3, False, "type 1 to 3"),
        (3, True, "type 1 to 3, or your own words"),
    ],
)
def test_how_a_question_is_answered_is_said(count: int, is_other: bool, choices: str) -> None:
    assert approval_text.question_choices({"options": OPTIONS[:count], "isOther": is_other}) == choices


@for_each(("line", "answer"), [("1", "Red"), (" 3 ", "Green"), ("0", "0"), ("4", "4"), ("²", "²"), ("blue", "blue")])
def test_a_number_names_an_option_and_words_stay_words(line: str, answer: str) -> None:
    assert approval_text.choose(QUESTION, line) == [answer]


def test_several_answers_are_taken_apart_only_where_several_may_be_given() -> None:
    assert approval_text.choose(QUESTION, "1, Green") == ["1, Green"]
    assert approval_text.choose(QUESTION | {"type": "array"}, "1, Green,,blue ") == ["Red", "Green", "blue"]
    assert approval_text.choose(QUESTION, " ") == []
    with_comma = {"type": "array", "options": [{"label": "A, B"}, {"label": "C"}]}
    assert approval_text.choose(with_comma, " a, b ") == ["a, b"]
    assert approval_text.choose(with_comma, "1, c") == ["A, B", "c"]


@for_each(
    ("question", "text", "is_one"),
    [
        (QUESTION, "RED", True),
        (QUESTION, "warm", False),
        (QUESTION, "y", False),
        (QUESTION | {"isOther": True}, "y", True),
        ({"question": "How?"}, "y", True),
        ({"schema": {}, "options": [{"label": "Production", "description": "prd-1"}]}, "PRD-1", True),
        ({"schema": {"type": "boolean"}, "options": [{"label": "yes"}, {"label": "no"}]}, "true", True),
    ],
)
def test_what_is_none_of_the_choices_is_seen_at_once(question: dict[str, Any], text: str, is_one: bool) -> None:
    assert approval_text.is_choice(question, text) is is_one


@for_each(
    ("schema", "is_required", "limits"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 9}, True, "\n  (integer, minimum 1, maximum 9)"),
        ({"type": "array", "minItems": 2}, False, "\n  (several, separated by commas, minItems 2, may be left out)"),
        ({"type": "string", "format": "email"}, True, '\n  (format "email")'),
        ({"type": "string"}, True, ""),
        (True, True, ""),
    ],
)
def test_what_a_field_demands_is_said(schema: object, is_required: bool, limits: str) -> None:
    assert (
        approval_text.question_text({"question": "How?", "schema": schema, "isRequired": is_required})
        == f"How?{limits}"
    )


def test_the_questions_are_those_of_a_request_that_wants_words() -> None:
    assert approval_text.questions_of({"questions": [QUESTION, None]}) == [QUESTION]
    assert approval_text.questions_of({"questions": None}) == []
    assert approval_text.wants_words({"answer_with": "reply"})
    assert not approval_text.wants_words(COMMAND)
