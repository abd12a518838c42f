"""Codex's requests in the middle of a turn: kept, decided, refused, and timed out."""

from __future__ import annotations

from typing import Any

import pytest

from codex_server_cli.core.model.request import APPROVAL_TIMEOUT_S, Approval
from codex_server_cli.core.model.timers import LIMIT_MS, Timer
from codex_server_cli.core.model.turn import Phase, State
from codex_server_cli.core.record.replay import replay
from codex_server_cli.core.session.approvals import Approvals
from codex_server_cli.errors import BadInputError, CodexServerError, Exit, NotFoundError
from tests.kit.cases import for_each
from tests.kit.dialogue import COMPLETED, INTERRUPTED, THREAD, TURN, Dialogue, Json, item_notification

COMMAND = "item/commandExecution/requestApproval"
PATCH = "item/fileChange/requestApproval"
PERMISSIONS = "item/permissions/requestApproval"
QUESTION = "item/tool/requestUserInput"
ELICITATION = "mcpServer/elicitation/request"

MCP_META = {"codex_approval_kind": "mcp_tool_call", "tool_name": "ask", "tool_params": {"x": 1}}
WHICH = {"id": "q1", "question": "Which?", "isOther": False, "options": [{"label": "A"}, {"label": "B"}]}
NAME_FORM = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


def asked(method: str, id_: str | int = 0, **params: Any) -> Json:
    """A server request about our turn."""
    return {"method": method, "id": id_, "params": {"threadId": THREAD, "turnId": TURN, "itemId": "item-1", **params}}


RUN = asked(COMMAND, command="touch f1", cwd="/project", reason="need it")


def with_approvals(*messages: Json, **request: Any) -> Dialogue:
    """A turn that runs under `--approval ask` and got this request."""
    return Dialogue(**{"approval": Approval.ASK, **request}).started().receive(*(messages or (RUN,)))


def results(talk: Dialogue) -> list[Json]:
    """What was replied to server requests, by their id."""
    return [message for message in talk.sent if "method" not in message]


def error_of(talk: Dialogue) -> CodexServerError:
    """Why the last request of another shell was refused."""
    error = talk.replies[-1].error
    assert error is not None
    return error


# --- kept, or refused at once


def test_a_request_waits_and_nothing_is_replied() -> None:
    talk = with_approvals()
    assert results(talk) == []
    assert talk.session.phase is Phase.WAITING_APPROVAL
    (request,) = talk.session.approvals.pending
    reported = request.to_json()
    assert (reported["id"], reported["kind"], reported["command"], reported["cwd"]) == (
        "0",
        "command",
        "touch f1",
        "/project",
    )
    assert (reported["reason"], reported["answer_with"], reported["message"]) == ("need it", "approve", "run touch f1")
    assert request.expires_ms - request.asked_ms == APPROVAL_TIMEOUT_S * 1000
    assert talk.text.endswith("[waiting for approval 0: run touch f1]\n")


@for_each("approval", [Approval.NEVER, Approval.AUTO])
@for_each("method", [COMMAND, PATCH, PERMISSIONS, QUESTION, ELICITATION])
def test_a_user_who_was_promised_no_questions_is_asked_none(approval: Approval, method: str) -> None:
    talk = with_approvals(asked(method, questions=[WHICH], mode="url"), approval=approval)
    assert [reply["error"]["code"] for reply in results(talk)] == [-32601]
    assert talk.session.phase is Phase.THINKING
    assert talk.text.endswith(" 0: refused]\n")


@for_each("promise", [{"may_ask_questions": True}, {"is_plan": True}])
def test_questions_need_no_approvals(promise: Json) -> None:
    talk = with_approvals(asked(QUESTION, questions=[WHICH]), approval=Approval.NEVER, **promise)
    assert talk.session.phase is Phase.WAITING_INPUT
    assert [request.message for request in talk.session.approvals.pending] == ["Which?"]


@for_each(
    "message",
    [
        asked("item/tool/call", tool="x"),
        asked("execCommandApproval"),
        asked("nope/of/tomorrow"),
        asked(ELICITATION, mode="openai/userVerification", challenge="c"),
        asked(COMMAND, 1.5),  # type: ignore[arg-type]
        asked(QUESTION, questions=[]),
    ],
    ids=["tool", "legacy", "unknown", "verification", "odd id", "no question"],
)
def test_a_request_that_no_user_could_answer_is_refused_at_once(message: Json) -> None:
    talk = with_approvals(message, may_ask_questions=True)
    assert results(talk) == [{"id": message["id"], "error": results(talk)[0]["error"]}]
    assert talk.session.approvals.pending == ()


def test_a_line_that_is_no_message_is_no_request() -> None:
    assert with_approvals({"method": 7, "id": 1}).session.approvals.pending == ()


def test_an_approval_comes_before_a_question() -> None:
    talk = with_approvals(asked(QUESTION, 1, questions=[WHICH]), RUN, may_ask_questions=True)
    assert talk.session.phase is Phase.WAITING_APPROVAL


# --- decided


@for_each(
    ("message", "once", "for_session", "declined"),
    [
        (RUN, {"decision": "accept"}, {"decision": "acceptForSession"}, {"decision": "decline"}),
        (asked(PATCH), {"decision": "accept"}, {"decision": "acceptForSession"}, {"decision": "decline"}),
        (
            asked(PERMISSIONS, permissions={"network": {"enabled": True}}),
            {"permissions": {"network": {"enabled": True}}, "scope": "turn"},
            {"permissions": {"network": {"enabled": True}}, "scope": "session"},
            {"permissions": {}},
        ),
        (
            asked(ELICITATION, mode="form", _meta=MCP_META, requestedSchema={"type": "object", "properties": {}}),
            {"action": "accept", "content": {}, "_meta": None},
            {"action": "accept", "content": {}, "_meta": {"persist": "session"}},
            {"action": "decline", "content": None, "_meta": None},
        ),
    ],
    ids=["command", "patch", "permissions", "mcp tool"],
)
def test_what_is_decided_is_said_in_the_words_of_the_wire(
    message: Json, once: Json, for_session: Json, declined: Json
) -> None:
    for serve, result, words in (
        ({"op": "approve"}, once, "approved"),
        ({"op": "approve", "is_for_session": True}, for_session, "approved for the rest of the turn"),
        ({"op": "decline"}, declined, "declined"),
    ):
        talk = with_approvals(message).serve(**serve)
        assert results(talk) == [{"id": 0, "result": result}]
        assert talk.session.approvals.pending == ()
        (reported,) = talk.replies
        assert (reported.tag, reported.error) == ("shell", None)
        assert reported.result is not None
        assert reported.result["request"]["id"] == "0"
        assert talk.text.endswith(f"[approval 0: {words}]\n")
        assert replay(talk.events)[1] == talk.text


def test_a_command_that_was_asked_about_is_named_once() -> None:
    command = {"type": "commandExecution", "id": "item-1", "command": "touch f1"}
    talk = Dialogue(approval=Approval.ASK).started().receive(item_notification("item/started", **_item(command)))
    talk.receive(RUN).serve("approve")
    ended = {**command, "aggregatedOutput": "made\n", "exitCode": 0}
    talk.receive(item_notification("item/completed", **_item(ended)))
    asked_and_allowed = "[waiting for approval 0: run touch f1]\n\n[approval 0: approved]\n"
    assert talk.text == f"$ touch f1\n\n{asked_and_allowed}made\n→ exit 0\n"


def test_a_command_is_named_again_where_something_else_was_asked_meanwhile() -> None:
    command = {"type": "commandExecution", "id": "item-2", "command": "make"}
    talk = Dialogue(approval=Approval.ASK).started().receive(item_notification("item/started", **_item(command)))
    talk.receive(RUN).serve("approve").receive(item_notification("item/completed", **_item({**command, "exitCode": 0})))
    assert talk.text.endswith("[approval 0: approved]\n\n$ make\n→ exit 0\n")


def _item(item: Json) -> Json:
    return {"type_": item["type"], "id_": item["id"], **{k: v for k, v in item.items() if k not in ("type", "id")}}


def test_the_turn_goes_on_after_a_decision_and_says_what_it_was() -> None:
    talk = with_approvals().serve("decline").receive(COMPLETED)
    assert talk.outcome.state is State.COMPLETE
    assert "[approval 0: declined]\n" in talk.text


@for_each(("first", "how"), [("approve", "was approved"), ("decline", "was declined")])
def test_a_second_decision_is_told_what_the_first_was(first: str, how: str) -> None:
    talk = with_approvals().serve(first).serve("approve", request="0")
    assert len(results(talk)) == 1
    assert isinstance(error_of(talk), NotFoundError)
    assert error_of(talk).message == f"request 0 {how}"


@for_each(
    ("serve", "exit_code"),
    [
        ({"op": "approve", "request": "7"}, Exit.NOT_FOUND),
        ({"op": "reply", "answers": {"q1": ["A"]}}, Exit.BAD_INPUT),
    ],
)
def test_what_does_not_fit_changes_nothing(serve: Json, exit_code: Exit) -> None:
    talk = with_approvals().serve(**serve)
    assert error_of(talk).exit_code == exit_code
    assert results(talk) == []
    assert len(talk.session.approvals.pending) == 1


def test_of_several_requests_one_has_to_be_named() -> None:
    talk = with_approvals(RUN, asked(COMMAND, 1, command="ls")).serve("approve")
    assert isinstance(error_of(talk), BadInputError)
    assert error_of(talk).message == "this turn has asked several times; now waits: 0, 1"
    talk.serve("approve", request="1")
    assert results(talk) == [{"id": 1, "result": {"decision": "accept"}}]
    assert [request.id for request in talk.session.approvals.pending] == ["0"]


def test_without_a_named_request_one_that_came_after_another_is_never_decided() -> None:
    talk = with_approvals().serve("approve").receive(asked(COMMAND, 1, command="rm -r x")).serve("approve")
    assert error_of(talk).exit_code == Exit.BAD_INPUT
    assert [request.id for request in talk.session.approvals.pending] == ["1"]
    assert talk.serve("decline").session.approvals.pending == ()  # which grants nothing, whatever was intended
    questions = asked(QUESTION, 0, questions=[WHICH]), asked(QUESTION, 1, questions=[WHICH])
    talk = (
        with_approvals(questions[0], may_ask_questions=True)
        .serve("decline")
        .receive(questions[1])
        .serve("reply", answers={"q1": ["A"]})
    )
    assert error_of(talk).exit_code == Exit.BAD_INPUT
    assert [request.id for request in talk.session.approvals.pending] == ["1"]
    talk = with_approvals(*(asked(COMMAND, number, command="ls") for number in range(12))).serve("decline")
    assert error_of(talk).message.endswith("0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more")


def test_a_defect_while_another_shell_is_served_ends_no_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Approvals, "decide", lambda *_: 1 / 0)
    talk = with_approvals().serve("approve")
    assert error_of(talk).message == "ZeroDivisionError: division by zero"
    assert not talk.has_ended


def test_where_nothing_waits_nothing_can_be_decided() -> None:
    talk = Dialogue(approval=Approval.ASK).started().serve("approve")
    assert error_of(talk).exit_code == Exit.NOT_FOUND


def test_what_asks_for_words_is_not_approved_but_may_be_declined() -> None:
    talk = with_approvals(asked(QUESTION, questions=[WHICH]), may_ask_questions=True).serve("approve")
    assert error_of(talk).exit_code == Exit.BAD_INPUT
    talk.serve("decline")
    assert results(talk) == [{"id": 0, "result": {"answers": {}}}]


def test_what_asks_only_for_a_yes_is_approved_once() -> None:
    talk = with_approvals(asked(ELICITATION, mode="url", url="https://x", message="Sign in")).serve(
        "approve", is_for_session=True
    )
    assert error_of(talk).message == "request 0 can only be approved once"
    talk.serve("approve")
    assert results(talk) == [{"id": 0, "result": {"action": "accept", "content": {}, "_meta": None}}]


def test_answers_are_checked_before_they_are_sent() -> None:
    talk = with_approvals(asked(QUESTION, questions=[WHICH]), may_ask_questions=True)
    talk.serve("reply", answers={"q9": ["A"]})
    assert error_of(talk).message == "no question 'q9' was asked, but q1"
    talk.serve("reply", answers={"q1": ["b"]})
    assert results(talk) == [{"id": 0, "result": {"answers": {"q1": {"answers": ["B"]}}}}]
    assert "[reply 0: answered: B]\n" in talk.text
    assert replay(talk.events)[1] == talk.text


def test_what_must_stay_secret_is_not_shown() -> None:
    secret = {"id": "q2", "question": "Password?", "isSecret": True}
    talk = with_approvals(asked(QUESTION, questions=[WHICH, secret]), may_ask_questions=True)
    talk.serve("reply", answers={"q1": ["A"], "q2": ["hunter2"]})
    assert "[reply 0: answered: q1: A; q2: ••••••••]\n" in talk.text


# --- over


def test_an_undecided_request_is_declined_when_its_time_is_over() -> None:
    talk = with_approvals(approval_timeout_s=2.0).advance(1_999)
    assert results(talk) == []
    talk.advance(1)
    assert results(talk) == [{"id": 0, "result": {"decision": "decline"}}]
    talk.serve("approve", request="0")
    assert error_of(talk).message == "request 0 was declined when its time was over"
    assert talk.text.endswith("[approval 0: declined: no answer in time]\n")
    assert b'"dir":"out","why":"timeout","id":0,' in talk.events
    assert replay(talk.events)[1] == talk.text


def test_a_decision_that_comes_too_late_has_no_effect_even_if_the_clock_was_not_checked_meanwhile() -> None:
    talk = with_approvals(approval_timeout_s=2.0)
    talk.now_ms += 2_000  # the machine slept, or the worker was stopped
    talk.serve("approve", request="0")
    assert results(talk) == [{"id": 0, "result": {"decision": "decline"}}]
    assert error_of(talk).message == "request 0 was declined when its time was over"
    assert error_of(talk).hint == "codex-server pending 20261120-165501-482-7f3a shows what waits."


def test_each_request_has_its_own_time() -> None:
    talk = with_approvals(approval_timeout_s=10.0).advance(5_000).receive(asked(COMMAND, 1, command="ls"))
    talk.advance(5_000)
    assert [request.id for request in talk.session.approvals.pending] == ["1"]
    talk.advance(5_000)
    assert talk.session.approvals.pending == ()


def test_what_codex_takes_back_no_longer_waits() -> None:
    talk = with_approvals().receive(
        {"method": "serverRequest/resolved", "params": {"threadId": THREAD, "requestId": 0}}
    )
    assert talk.session.approvals.pending == ()
    assert results(talk) == []
    assert error_of(talk.serve("approve", request="0")).message == "request 0 was taken back by Codex"
    assert talk.text.endswith("[approval 0: taken back by Codex]\n")
    assert replay(talk.events)[1] == talk.text


def test_the_word_that_our_own_reply_arrived_changes_nothing() -> None:
    talk = with_approvals().serve("approve")
    talk.receive({"method": "serverRequest/resolved", "params": {"threadId": THREAD, "requestId": 0}})
    assert error_of(talk.serve("approve", request="0")).message == "request 0 was approved"


def test_a_request_goes_with_its_turn() -> None:
    talk = with_approvals().stop().receive(INTERRUPTED)
    assert talk.outcome.state is State.CANCELLED
    assert talk.session.approvals.pending == ()
    assert results(talk) == []


def test_a_person_who_thinks_is_no_stall() -> None:
    stall_ms = LIMIT_MS[Timer.STALL]
    talk = with_approvals(approval_timeout_s=stall_ms / 500).advance(stall_ms * 1.5)
    assert not talk.has_ended
    assert talk.requests("thread/turns/list") == []


def test_an_approval_is_no_consent_to_a_wider_sandbox() -> None:
    wide = {"threadId": THREAD, "threadSettings": {"sandboxPolicy": {"type": "workspaceWrite"}}}
    talk = with_approvals().serve("approve", is_for_session=True)
    talk.receive({"method": "thread/settings/updated", "params": wide})  # no grant is announced so, on either version
    assert len(talk.requests("turn/interrupt")) == 1


# --- what is shown


def test_a_patch_tells_what_it_would_change() -> None:
    changes = [{"path": "/p/a.py", "kind": {"type": "update"}, "diff": "@@"}, {"path": "/p/b.py"}]
    talk = with_approvals(
        item_notification("item/started", "fileChange", changes=changes), asked(PATCH, grantRoot="/p")
    )
    reported = talk.session.approvals.pending[0].to_json()
    assert (reported["changes"], reported["grant_root"], reported["message"]) == (
        changes,
        "/p",
        "change /p/a.py, /p/b.py",
    )
    assert with_approvals(asked(PATCH)).session.approvals.pending[0].message == "change files"


def test_a_patch_of_a_sub_agent_tells_what_it_would_change() -> None:
    item = {"type": "fileChange", "id": "item-1", "changes": [{"path": "/p/a.py", "diff": "@@"}]}
    started, completed = (
        {"method": method, "params": {"threadId": "sub", "turnId": "t", "item": item}}
        for method in ("item/started", "item/completed")
    )
    talk = with_approvals(started, asked(PATCH, threadId="sub"))
    assert talk.session.approvals.pending[0].changes == item["changes"]
    assert talk.text.endswith("[waiting for approval 0: change /p/a.py]\n")
    talk = with_approvals(started, completed, asked(PATCH, threadId="sub"))
    assert talk.session.approvals.pending[0].changes == []


@for_each(
    ("message", "line"),
    [
        (asked(COMMAND, networkApprovalContext={"host": "example.com"}), "run what wants to reach example.com"),
        (asked(COMMAND), "run"),
        (asked(COMMAND, command="/bin/bash -lc 'echo a\\necho b'"), "run echo a\\necho b"),
        (asked(COMMAND, command="echo a\n  echo b"), "run echo a echo b"),
        (
            asked(PERMISSIONS, permissions={"network": None, "fileSystem": {"read": None, "write": ["/a", "/b"]}}),
            "more permissions: write /a, /b",
        ),
        (
            asked(PERMISSIONS, permissions={"network": {"enabled": True}, "fileSystem": {"entries": [{"path": "/a"}]}}),
            'more permissions: network; entries [{"path": "/a"}]',
        ),
        (
            asked(PERMISSIONS, permissions={"network": {"enabled": False}, "more": {"x": 1}}),
            'more permissions: more {"x": 1}',
        ),
        (asked(PERMISSIONS), "more permissions: none named"),
        (asked(ELICITATION, mode="form", _meta=MCP_META, message="Allow it?"), "Allow it?"),
        (asked(ELICITATION, mode="url", _meta="odd"), ""),
    ],
)
def test_every_request_can_be_told_in_a_line(message: Json, line: str) -> None:
    assert with_approvals(message).session.approvals.pending[0].message == line


def test_a_tool_of_an_mcp_server_is_told_with_its_arguments() -> None:
    reported = (
        with_approvals(asked(ELICITATION, mode="form", serverName="tst", _meta=MCP_META))
        .session.approvals.pending[0]
        .to_json()
    )
    assert (reported["kind"], reported["server"], reported["tool"], reported["arguments"]) == (
        "mcp_tool",
        "tst",
        "ask",
        {"x": 1},
    )


def test_a_form_is_told_as_questions() -> None:
    schema = {"properties": {"name": {"type": "string", "title": "Name"}, "size": {"enum": ["S", 2]}, "odd": 3}}
    message = asked(ELICITATION, mode="form", message="Who?", requestedSchema=schema)
    assert with_approvals(message).session.approvals.pending[0].to_json()["questions"] == [
        {
            **{"id": "name", "header": "Name", "question": "Who?", "type": "string", "options": None},
            **{"isRequired": False, "isSecret": False, "schema": {"type": "string", "title": "Name"}},
        },
        {
            **{"id": "size", "header": "size", "question": "Who?", "type": None},
            "options": [{"label": "S"}, {"label": "2"}],
            **{"isRequired": False, "isSecret": False, "schema": {"enum": ["S", 2]}},
        },
    ]


@for_each(
    ("field", "is_secret"),
    [({"format": "password"}, True), ({"writeOnly": True}, True), ({"format": "email"}, False), ({}, False)],
)
def test_a_field_whose_value_is_secret_says_so_like_a_question(field: Json, is_secret: bool) -> None:
    message = asked(ELICITATION, mode="form", requestedSchema={"properties": {"it": {"type": "string", **field}}})
    (reported,) = with_approvals(message).session.approvals.pending[0].to_json()["questions"]
    assert reported["isSecret"] is is_secret


@for_each(
    ("field", "options"),
    [
        (
            {"oneOf": [{"const": "p-1", "title": "Production"}, {"const": "test"}]},
            [{"label": "Production", "description": "p-1"}, {"label": "test"}],
        ),
        ({"enum": ["r"], "enumNames": ["Red"]}, [{"label": "Red", "description": "r"}]),
        ({"enum": ["r"], "enumNames": ["Red", "Green"]}, [{"label": "r"}]),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, [{"label": "a"}, {"label": "b"}]),
        ({"type": "array", "items": True}, None),
        ({"type": "boolean"}, [{"label": "yes"}, {"label": "no"}]),
        ({"anyOf": [{"type": "string"}]}, None),
    ],
)
def test_what_a_field_can_be_is_told_as_options(field: Json, options: list[Json] | None) -> None:
    message = asked(ELICITATION, mode="form", requestedSchema={"properties": {"it": field}})
    (reported,) = with_approvals(message).session.approvals.pending[0].to_json()["questions"]
    assert reported["options"] == options


def test_a_form_that_must_be_filled_says_so() -> None:
    message = asked(ELICITATION, mode="form", message="Who?", requestedSchema=NAME_FORM)
    reported = with_approvals(message).session.approvals.pending[0].to_json()
    assert reported["answer_with"] == "reply"
    assert [question["isRequired"] for question in reported["questions"]] == [True]


def test_every_kind_of_request_has_the_same_keys() -> None:
    messages = [
        RUN,
        asked(PATCH),
        asked(PERMISSIONS),
        asked(QUESTION, questions=[WHICH]),
        asked(ELICITATION, mode="form", requestedSchema=NAME_FORM),
        asked(ELICITATION, mode="form", _meta=MCP_META),
    ]
    keys = [
        set(with_approvals(each, may_ask_questions=True).session.approvals.pending[0].to_json()) for each in messages
    ]
    assert all(each == keys[0] for each in keys)
