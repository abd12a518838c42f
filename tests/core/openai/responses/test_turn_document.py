"""A turn as a Response: what each of its states is there, and what of the request is told again."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.model.turn import Phase, State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.openai.responses import turn_document as documents
from codex_server_cli.core.openai.responses.document import Json, message_item
from codex_server_cli.core.openai.responses.turn_document import turn_response
from codex_server_cli.errors import ErrorKind
from tests.kit.cases import for_each
from tests.kit.official import official_response

TURN_ID = "20261120-165501-482-7f3a"
STARTED_S = 1_795_193_701
META: Json = {"started_at": "2026-11-20T16:55:01.482Z", "finished_at": "2026-11-20T16:55:09.001Z", "thread_id": "t"}
MAX_TOKENS = "Incomplete response returned, reason: max_output_tokens"


def view(state: State, phase: Phase | None = None, error: Json | None = None, **more: Any) -> TurnView:
    return TurnView(TURN_ID, "/x", state, phase, **{"meta": META, "error": error, **more})


def shown(turn: TurnView, *given: Any) -> tuple[Any, Json]:
    """A turn as the official client has it, and what is ours alone."""
    document = turn_response(turn, *given)
    ours = document.pop("x_codex")
    return official_response(document), ours


def error(kind: str, message: str = "It failed.", **more: Any) -> Json:
    return {"kind": kind, "message": message, "hint": "", "resets_at": None, **more}


_STATES: dict[str, tuple[TurnView, str, str]] = {
    "just started": (view(State.RUNNING), "queued", ""),
    "queued": (view(State.RUNNING, Phase.QUEUED), "queued", ""),
    "thinking": (view(State.RUNNING, Phase.THINKING), "in_progress", ""),
    "waiting for an approval": (view(State.RUNNING, Phase.WAITING_APPROVAL), "in_progress", ""),
    "waiting for an answer": (view(State.RUNNING, Phase.WAITING_INPUT), "in_progress", ""),
    "complete": (view(State.COMPLETE), "completed", "response.completed"),
    "cancelled": (view(State.CANCELLED, error=error("cancelled")), "cancelled", "response.incomplete"),
    "lost": (view(State.ABANDONED, error=error("worker_died")), "failed", "response.failed"),
    "failed": (view(State.FAILED, error=error("auth")), "failed", "response.failed"),
    "cut at a limit": (view(State.FAILED, error=error("bad_request", MAX_TOKENS)), "incomplete", "response.incomplete"),
}


@for_each("turn, status, last", _STATES.values(), ids=[*_STATES])
def test_each_state_of_a_turn_is_a_status(turn: TurnView, status: str, last: str) -> None:
    response, _ = shown(turn)
    assert (response.status, documents.status_of(turn)) == (status, status)
    assert (response.error is not None) == (status == "failed")
    assert (response.incomplete_details is not None) == (status == "incomplete")
    assert response.completed_at == (STARTED_S + 8 if status == "completed" else None)
    assert (response.id, response.created_at, response.background) == (f"resp_{TURN_ID}", STARTED_S, True)
    if last:
        assert documents.last_event(turn) == last


def test_why_a_turn_failed_is_a_code_of_openai_and_a_kind_of_ours() -> None:
    codes = {
        "rate_limit_exceeded": {ErrorKind.USAGE_LIMIT, ErrorKind.RATE_LIMIT},
        "invalid_prompt": {
            *(ErrorKind.BAD_REQUEST, ErrorKind.BAD_SCHEMA, ErrorKind.BAD_INPUT, ErrorKind.CONTEXT_WINDOW)
        },
    }
    for kind in ErrorKind:
        response, _ = shown(view(State.FAILED, error=error(kind)))
        code = next((code for code, kinds in codes.items() if kind in kinds), "server_error")
        assert (response.error.code, response.error.type, response.error.message) == (code, kind, "It failed.")
    response, ours = shown(view(State.FAILED, error=error("usage_limit", hint="Wait.", resets_at="2026")))
    assert ours == {"turn_id": TURN_ID, "thread_id": "t", "state": "failed", "hint": "Wait.", "resets_at": "2026"}
    response, _ = shown(view(State.FAILED))
    assert (response.error.code, response.error.message) == ("server_error", "")


def test_a_limit_of_the_model_is_named() -> None:
    for reason in ("max_output_tokens", "content_filter"):
        message = f"Incomplete response returned, reason: {reason}"
        response, _ = shown(view(State.FAILED, error=error("bad_request", message)))
        assert response.incomplete_details.reason == reason


def test_an_ended_turn_has_its_output_and_its_usage() -> None:
    spent = {
        **{"input_tokens": 100, "cached_input_tokens": 40, "output_tokens": 20, "reasoning_output_tokens": 5},
        "total_tokens": 120,
    }
    response, ours = shown(view(State.COMPLETE, result={"usage": spent}), [message_item("m", "Hi")])
    assert response.output_text == "Hi"
    assert response.usage.total_tokens == 120
    assert response.usage.input_tokens_details.cached_tokens == 40
    assert response.usage.output_tokens_details.reasoning_tokens == 5
    assert ours["state"] == "complete"
    assert shown(view(State.COMPLETE, result={"usage": {}}))[0].usage.total_tokens == 0


def test_an_earlier_status_knows_nothing_of_the_end() -> None:
    ended = view(State.FAILED, error=error("auth"), result={"usage": {"total_tokens": 1}})
    for status in ("queued", "in_progress"):
        response, ours = shown(ended, (), status)
        assert (response.status, response.error, response.usage, response.completed_at) == (status, None, None, None)
        assert ours == {"turn_id": TURN_ID, "thread_id": "t"}
    _, ours = shown(view(State.RUNNING, Phase.WAITING_APPROVAL))
    assert ours["phase"] == "waiting_approval"


def test_what_the_request_said_is_told_again() -> None:
    schema = {"type": "object", "properties": {}}
    meta = {
        **META,
        "model": "gpt-6.2-sol",
        "effort": "high",
        "resumed_from": "20261120-165500-000-0000",
        "request": {"schema": schema},
        "echo": {
            "model": "fast",
            "developer": ["Be brief."],
            "response": {
                "instructions": "Be brief.",
                "metadata": {"a": "b"},
                "reasoning": {"effort": "high", "summary": None},
                "text": {"format": {"type": "json_schema", "name": "city", "strict": False, "schema": schema}},
            },
        },
    }
    response, _ = shown(view(State.COMPLETE, meta=meta))
    assert (response.model, response.instructions, response.metadata) == ("fast", "Be brief.", {"a": "b"})
    assert (response.previous_response_id, response.reasoning.effort) == ("resp_20261120-165500-000-0000", "high")
    assert response.text.format.to_dict() == {"type": "json_schema", "name": "city", "strict": False, "schema": schema}
    items = documents.input_items("hi", ["data:image/png;base64,AA=="], view(State.COMPLETE, meta=meta))
    assert [(item["role"], [part["type"] for part in item["content"]]) for item in items] == [
        ("developer", ["input_text"]),
        ("user", ["input_text", "input_image"]),
    ]


def test_a_turn_of_the_command_line_is_told_by_its_record() -> None:
    meta = {**META, "effective": {"model": "gpt-5.5"}, "request": {"schema": {"type": "object"}}}
    response, _ = shown(view(State.COMPLETE, meta=meta))
    assert (response.model, response.instructions, response.metadata) == ("gpt-5.5", None, {})
    assert (response.text.format.name, response.text.format.strict) == ("answer", True)
    assert shown(view(State.RUNNING, meta={}))[0].created_at == STARTED_S
    assert shown(view(State.RUNNING, meta={})._replace(turn_id="odd"))[0].created_at == 0
    assert [item["role"] for item in documents.input_items("hi", [], view(State.COMPLETE))] == ["user"]


def test_an_id_names_a_turn_by_all_of_it() -> None:
    assert documents.turn_id_in(documents.response_id(TURN_ID)) == TURN_ID
    for other in (TURN_ID, "resp_", "resp_last", f"resp_{TURN_ID}0", f"resp_{TURN_ID[:-1]}", f"resp_resp_{TURN_ID}"):
        assert documents.turn_id_in(other) is None
