"""The outcome of a request as `out.txt` shows it: whether it was allowed, why not, and its answer.

Owns the wording. Answers to secret questions are masked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from codex_server_cli.core.protocol.rpc import Message, object_at, objects_in, params_of, text_in
from codex_server_cli.core.record.approval_request import ApprovalRequest, RequestKind, is_secret_field

TAKEN_BACK = "taken back by Codex"
OVERDUE = "declined: no answer in time"
"""Outcomes without a user's decision."""

TIMEOUT = "timeout"
"""The reason for a reply: no decision was made in time. Stored as `why` in `events.jsonl`, because the wire's reply
does not contain it."""

MAX_ANSWER_CHARS = 200
_SECRET = "•" * 8
_ANSWERED = "answered"
_OUTCOMES = {"accept": "approved", "acceptForSession": "approved for the rest of the turn"}


def outcome_of_reply(request: ApprovalRequest, reply: Message, *, is_overdue: bool = False) -> str:
    """The outcome of a request by our reply, in one line.

    Args:
        is_overdue: whether no decision was made in time.
    """
    outcome = _outcome(reply, is_overdue=is_overdue)
    answers = _answers(request, _given(reply)) if outcome == _ANSWERED else ""
    return f"{outcome}: {answers}" if answers else outcome


def ending_in(events: Iterable[Message], request_id: str) -> str | None:
    """How a request ended, in a few words without the answers; None if the events do not show it.

    Args:
        events: in the format of `events.jsonl`, oldest first; earlier ones may be missing.
        request_id: as users see it.
    """
    outcome: str | None = None
    for event in events:
        if event.get("dir") == "out" and "method" not in event and str(event.get("id")) == request_id:
            outcome = _outcome(event, is_overdue=event.get("why") == TIMEOUT)
        elif event.get("method") == "serverRequest/resolved" and str(params_of(event).get("requestId")) == request_id:
            outcome = outcome or TAKEN_BACK
    return outcome


def _given(reply: Message) -> Any:
    result = object_at(reply, "result")
    return result.get("answers") or result.get("content")


def _outcome(reply: Message, *, is_overdue: bool) -> str:
    result = reply.get("result")
    if not isinstance(result, dict):
        return "refused"
    if _given(reply):
        return _ANSWERED
    meta = result.get("_meta")
    is_for_session = result.get("scope") == "session" or (isinstance(meta, dict) and meta.get("persist") == "session")
    decision = "accept" if result.get("permissions") else result.get("decision") or result.get("action")
    if decision == "accept" and is_for_session:
        decision = "acceptForSession"
    declined = OVERDUE if is_overdue else "declined"
    return _OUTCOMES.get(str(decision), declined)


def _answers(request: ApprovalRequest, given: Any) -> str:
    """The answers: only the text if there is one, else each after the id of its question."""
    if not isinstance(given, dict):
        return ""
    secrets = _secret_ids(request)
    texts = {str(id_): _SECRET if id_ in secrets else _answer_text(value) for id_, value in given.items()}
    text = "; ".join(texts.values()) if len(texts) == 1 else "; ".join(f"{id_}: {each}" for id_, each in texts.items())
    return text if len(text) <= MAX_ANSWER_CHARS else text[: MAX_ANSWER_CHARS - 1] + "…"


def _answer_text(value: Any) -> str:
    """One answer in one line: the texts of a question, or the value of a form's field."""
    if isinstance(value, dict):
        value = value.get("answers")
    if isinstance(value, list):
        return ", ".join(_answer_text(each) for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(str(value).split())


def _secret_ids(request: ApprovalRequest) -> set[str]:
    if request.kind is RequestKind.QUESTION:
        questions = objects_in(request.params.get("questions"))
        return {text_in(each.get("id")) for each in questions if each.get("isSecret")}
    return {name for name, field in request.form.items() if isinstance(field, dict) and is_secret_field(field)}
