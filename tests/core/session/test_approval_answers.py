"""A person's input as the answer to a question or a form."""

from __future__ import annotations

from typing import Any

import pytest

from codex_server_cli.core.record.approval_request import ApprovalRequest, RequestKind
from codex_server_cli.core.session.approval_answers import AnswerError, answering
from tests.kit.cases import for_each

OPTIONS = [{"label": "Apples"}, {"label": "Pears"}]


def question(**more: Any) -> dict[str, Any]:
    return {"id": "q1", "question": "Which?", "options": None, "isOther": False, **more}


def question_request(*questions: dict[str, Any]) -> ApprovalRequest:
    return ApprovalRequest("0", 0, RequestKind.QUESTION, {"questions": list(questions)}, None, 0, 1)


def form(properties: dict[str, Any], **more: Any) -> ApprovalRequest:
    schema = {"type": "object", "properties": properties, **more}
    return ApprovalRequest("0", 0, RequestKind.ELICITATION, {"requestedSchema": schema}, None, 0, 1)


@for_each(
    ("asked", "said", "sent"),
    [
        (question(), "whatever", "whatever"),
        (question(options=OPTIONS), "Pears", "Pears"),
        (question(options=OPTIONS), " pears ", "Pears"),
        (question(options=OPTIONS, isOther=True), "plums", "plums"),
        (question(options="odd"), "x", "x"),
    ],
)
def test_a_question_takes_a_choice_or_free_text(asked: dict[str, Any], said: str, sent: str) -> None:
    assert answering(question_request(asked), {"q1": [said]}) == {"answers": {"q1": {"answers": [sent]}}}


@for_each(
    ("answers", "message"),
    [
        ({"q1": ["plums"], "q2": ["x"]}, "question 'q1' takes one of: Apples, Pears; not 'plums'"),
        ({"q1": ["Pears"], "q3": ["x"]}, "no question 'q3' was asked, but q1, q2"),
        ({"q1": ["Pears"]}, "question 'q2' needs an answer"),
        ({"q1": ["Pears"], "q2": []}, "question 'q2' needs an answer"),
        ({}, "question 'q1' needs an answer"),
        ({"q1": ["Pears"], "q2": [" "]}, "the answer to question 'q2' is empty"),
        ({"q1": ["Pears"], "q2": ["…"]}, "the answer to question 'q2' is empty"),  # a command as it was shown
    ],
)
def test_what_fits_no_question_is_refused_in_words(answers: dict[str, list[str]], message: str) -> None:
    with pytest.raises(AnswerError) as caught:
        answering(question_request(question(options=OPTIONS), question(id="q2")), answers)
    assert str(caught.value) == message


def test_a_form_gets_values_of_its_types() -> None:
    request = form(
        {
            "name": {"type": "string"},
            "age": {"type": "integer"},
            "size": {"type": "number"},
            "is_new": {"type": "boolean"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "any": True,
            "fruit": {"type": "string", "enum": ["Apples", "Pears"]},
        },
        required=["name"],
    )
    said = {
        "name": ["7"],
        "age": ["7"],
        "size": ["-1.5"],
        "is_new": ["Yes"],
        "tags": ["a", "b"],
        "any": ["x"],
        "fruit": ["pears"],
    }
    assert answering(request, said) == {
        "action": "accept",
        "content": {
            "name": "7",
            "age": 7,
            "size": -1.5,
            "is_new": True,
            "tags": ["a", "b"],
            "any": "x",
            "fruit": "Pears",
        },
        "_meta": None,
    }


@for_each(
    ("schema", "texts", "message"),
    [
        ({"type": "integer"}, ["many"], "$.it: 'many' is not of type 'integer'"),
        ({"type": "integer"}, ["[1]"], "$.it: '[1]' is not of type 'integer'"),
        *(
            ({"type": "number"}, [odd], f"$.it: '{odd}' is not of type 'number'")
            for odd in ("NaN", "-Infinity", "1e999", "[[[")
        ),
        ({"type": "boolean"}, ["maybe"], "question 'it' takes one of: yes, no; not 'maybe'"),
        ({"type": "string", "enum": ["a", "b"]}, ["c"], "question 'it' takes one of: a, b; not 'c'"),
        ({"type": "array", "items": {"enum": ["a"]}}, ["a", "c"], "question 'it' takes one of: a; not 'c'"),
        ({"oneOf": [{"const": "p", "title": "Prod"}]}, ["Test"], "question 'it' takes one of: Prod; not 'Test'"),
        ({"type": "array", "items": {"type": "string"}, "minItems": 2}, ["a"], "$.it: ['a'] is too short"),
        ({"type": "string"}, ["a", "b"], "question 'it' takes one answer, not 2"),
    ],
)
def test_what_fits_no_form_is_refused_in_words(schema: dict[str, Any], texts: list[str], message: str) -> None:
    with pytest.raises(AnswerError) as caught:
        answering(form({"it": schema}), {"it": texts})
    assert str(caught.value) == message


TITLED = [{"const": "prd-1", "title": "Production"}, {"const": "stg-1", "title": "Staging"}]


@for_each(
    ("schema", "texts", "value"),
    [
        ({"type": "string", "oneOf": TITLED}, ["production"], "prd-1"),
        ({"type": "string", "oneOf": TITLED}, ["stg-1"], "stg-1"),
        ({"type": "string", "enum": ["r", "g"], "enumNames": ["Red", "Green"]}, ["Green"], "g"),
        ({"type": "array", "items": {"anyOf": TITLED}}, ["Production", "stg-1"], ["prd-1", "stg-1"]),
        ({"type": "boolean"}, ["TRUE"], True),
        ({"type": "boolean"}, ["no"], False),
        ({"type": "integer", "enum": [1, 2]}, ["2"], 2),
    ],
)
def test_a_choice_of_a_form_is_called_by_its_title_or_by_its_value(
    schema: dict[str, Any], texts: list[str], value: object
) -> None:
    assert answering(form({"it": schema}), {"it": texts})["content"] == {"it": value}


CROSSED = {"type": "string", "enum": ["1", "2", "3"], "enumNames": ["3", "2", "1"]}


@for_each(
    ("schema", "text", "value"),
    [
        (CROSSED, "3", "1"),
        (CROSSED, "1", "3"),
        ({"enum": ["M", "m"]}, "m", "m"),
        ({"enum": ["prod", "stg"], "enumNames": ["stg", "prod"]}, " PROD ", "stg"),
    ],
)
def test_what_people_see_counts_before_what_is_sent_and_its_spelling_before_any_other(
    schema: dict[str, Any], text: str, value: object
) -> None:
    assert answering(form({"it": schema}), {"it": [text]})["content"] == {"it": value}


def test_what_names_several_choices_names_none() -> None:
    twins = {"enum": ["a", "b"], "enumNames": ["Same", "Same"]}
    with pytest.raises(AnswerError, match="names several choices of question 'it'"):
        answering(form({"it": twins}), {"it": ["same"]})
    assert answering(form({"it": twins}), {"it": ["b"]})["content"] == {"it": "b"}
    options = [{"label": "Yes"}, {"label": "yes"}]
    assert answering(question_request(question(options=options)), {"q1": ["yes"]})["answers"]["q1"]["answers"] == [
        "yes"
    ]


def test_a_fault_of_the_whole_form_is_told_too() -> None:
    with pytest.raises(AnswerError, match="should be non-empty"):
        answering(form({"it": {"type": "string"}}, minProperties=1), {})


def test_a_form_that_is_itself_wrong_is_not_held_against_the_answer() -> None:
    request = form({"it": {"type": "nonsense"}})
    assert answering(request, {"it": ["x"]})["content"] == {"it": "x"}
