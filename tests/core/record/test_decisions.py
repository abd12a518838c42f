"""The outcome of a request as text: the decision, why there was none, and what was answered."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.record.approval_request import ApprovalRequest, RequestKind
from codex_server_cli.core.record.decisions import MAX_ANSWER_CHARS, ending_in, outcome_of_reply
from tests.kit.cases import for_each

Json = dict[str, Any]


def outcome(kind: RequestKind, params: Json, result: Any, *, is_overdue: bool = False) -> str:
    request = ApprovalRequest("0", 0, kind, params, None, 0, 0)
    return outcome_of_reply(request, {"id": 0, "result": result}, is_overdue=is_overdue)


def answered(answers: dict[str, list[str]], *questions: Json) -> str:
    wire = {id_: {"answers": texts} for id_, texts in answers.items()}
    return outcome(RequestKind.QUESTION, {"questions": list(questions)}, {"answers": wire})


def filled_in(content: Json, **fields: Any) -> str:
    form = {"requestedSchema": {"type": "object", "properties": fields}}
    return outcome(RequestKind.ELICITATION, form, {"action": "accept", "content": content, "_meta": None})


@for_each(
    ("result", "expected"),
    [
        ({"decision": "accept"}, "approved"),
        ({"decision": "acceptForSession"}, "approved for the rest of the turn"),
        ({"decision": "decline"}, "declined"),
        ({"permissions": {"network": {"enabled": True}}, "scope": "session"}, "approved for the rest of the turn"),
        ({"permissions": {}}, "declined"),
        ({"action": "accept", "content": {}, "_meta": {"persist": "session"}}, "approved for the rest of the turn"),
        ({"answers": {}}, "declined"),
        (None, "refused"),
    ],
)
def test_a_decision_is_told(result: Any, expected: str) -> None:
    assert outcome(RequestKind.COMMAND, {}, result) == expected


def test_an_automatic_decision_says_so() -> None:
    decline = {"decision": "decline"}
    assert outcome(RequestKind.COMMAND, {}, decline, is_overdue=True) == "declined: no answer in time"


def test_how_a_request_ended_is_told_by_the_events_of_its_turn() -> None:
    approved, declined = ({"dir": "out", "id": 0, "result": {"decision": word}} for word in ("accept", "decline"))
    resolved = {"dir": "in", "method": "serverRequest/resolved", "params": {"requestId": 0}}
    call = {"dir": "out", "id": 0, "method": "turn/steer", "params": {}}
    reply = {"dir": "in", "id": 0, "result": {}}
    assert ending_in([call, reply, approved, resolved], "0") == "approved"
    assert ending_in([{**declined, "why": "timeout"}, resolved], "0") == "declined: no answer in time"
    assert ending_in([resolved], "0") == "taken back by Codex"
    assert ending_in([{"dir": "out", "id": "a", "result": {"answers": {"q": {"answers": ["x"]}}}}], "a") == "answered"
    assert ending_in([call, reply, {**approved, "id": 1}], "0") is None


def test_one_answer_is_its_words_and_several_name_their_questions() -> None:
    assert answered({"q1": ["Blue"]}, {"id": "q1"}) == "answered: Blue"
    assert answered({"q1": ["Blue", "a  big\none"]}) == "answered: Blue, a big one"
    assert answered({"q1": ["Blue"], "q2": ["2"]}) == "answered: q1: Blue; q2: 2"


def test_a_secret_is_not_told() -> None:
    assert answered({"q1": ["hunter2"]}, {"id": "q1", "isSecret": True}) == "answered: ••••••••"
    content = {"user": "bob", "password": "hunter2", "pin": 12}
    words = filled_in(content, password={"type": "string", "format": "password"}, pin={"writeOnly": True}, user="odd")
    assert words == "answered: user: bob; password: ••••••••; pin: ••••••••"


def test_the_values_of_a_form_are_told_as_people_say_them() -> None:
    assert filled_in({"ok": True, "no": False, "n": 1.5, "tags": ["a", "b"]}) == (
        "answered: ok: yes; no: no; n: 1.5; tags: a, b"
    )


def test_a_long_answer_is_cut() -> None:
    words = answered({"q1": ["x" * 500]}, {"id": "q1"}).removeprefix("answered: ")
    assert (len(words), words[-1]) == (MAX_ANSWER_CHARS, "…")


def test_an_answer_of_an_odd_shape_is_told_without_its_words() -> None:
    assert outcome(RequestKind.QUESTION, {}, {"answers": ["odd"]}) == "answered"
