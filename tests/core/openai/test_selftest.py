"""What the self-test asks, and how it judges what comes back."""

from __future__ import annotations

from typing import Any

import pytest

from codex_server_cli.core.openai.selftest.checks import CHECKS, CheckContext
from codex_server_cli.core.openai.selftest.probe import Probe, ProbeReply, WrongAnswer, joined
from codex_server_cli.core.openai.selftest.result import CheckResult
from codex_server_cli.render.selftest import selftest_line, selftest_summary

USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
CACHED = {**USAGE, "prompt_tokens_details": {"cached_tokens": 40}}
ROOM = '{"room": "blue"}'
OSLO = '{"city": "Oslo", "population": 717710}'


def said(text: str | None, reason: str | None = "stop", usage: Any = CACHED, **more: Any) -> ProbeReply:
    """A completion with a text."""
    message = {"role": "assistant", "content": text}
    return ProbeReply(200, {"choices": [{"message": message, "finish_reason": reason}], "usage": usage}, **more)


def called(*arguments: str, name: str = "look_up_code", reason: str = "tool_calls") -> ProbeReply:
    """A completion with calls."""
    calls = [{"id": f"call_{each}", "function": {"name": name, "arguments": each}} for each in arguments]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    return ProbeReply(200, {"choices": [{"message": message, "finish_reason": reason}]})


def responded(text: str, status: str = "completed") -> ProbeReply:
    """A response with a text, behind reasoning."""
    output = [{"type": "reasoning", "summary": []}, {"type": "message", "content": [{"text": text}]}]
    details = {"input_tokens": 100, "input_tokens_details": {"cached_tokens": 40}, "output_tokens": 20}
    return ProbeReply(200, {"status": status, "output": output, "usage": details, "error": None})


def failed(status: int, **error: str) -> ProbeReply:
    return ProbeReply(status, {"error": error})


def run(name: str, *replies: ProbeReply, model: str | None = None) -> tuple[str, list[Probe]]:
    """Give a check its replies: what it returns, and what it has asked."""
    check = CHECKS[name](CheckContext(model, "mark"))
    asked = [next(check)]
    for reply in replies:
        try:
            asked.append(check.send(reply))
        except StopIteration as end:
            return str(end.value), asked
    raise AssertionError("it asks for more")


GOOD: dict[str, tuple[tuple[ProbeReply, ...], str]] = {
    "chat": ((said("Pong."),), "Pong."),
    "streamed chat": ((said("pong"),), "pong"),
    "tool call": ((called(ROOM, ROOM), said("It is 4711.", thread="held")), "It is 4711."),
    "json schema": ((said(OSLO),), OSLO),
    "response": ((responded("Pong"),), "Pong"),
    "second turn": ((said("84"), said("140 boxes", thread="kept")), "140 boxes"),
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_good_answer_is_what_a_check_returns(name: str) -> None:
    replies, text = GOOD[name]
    assert run(name, *replies)[0] == text


def test_a_model_is_named_where_one_is_to_be_asked() -> None:
    replies, _ = GOOD["tool call"]
    assert [probe.body.get("model") for probe in run("tool call", *replies)[1]] == [None] * 2
    assert [probe.body.get("model") for probe in run("tool call", *replies, model="m")[1]] == ["m"] * 2
    assert run("response", responded("pong"), model="m")[1][0].body["model"] == "m"


def test_the_results_of_all_calls_are_sent_behind_the_calls() -> None:
    replies, _ = GOOD["tool call"]
    messages = run("tool call", *replies)[1][1].body["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "tool"]
    assert messages[2]["tool_call_id"] == f"call_{ROOM}"


def test_a_missed_cache_has_one_more_turn() -> None:
    missed, hit = said("140", usage=USAGE), said("210")
    assert run("second turn", said("84"), missed, hit)[0] == "210"
    with pytest.raises(WrongAnswer, match="missed twice"):
        run("second turn", said("84"), missed, said("210", usage=USAGE))


WRONG = [
    ("chat", (said("no"),), 'the answer should have "pong" in it: "no"'),
    ("chat", (said(" "),), "the answer is empty"),
    ("chat", (said(None),), "the answer is empty"),
    ("chat", (said("po", "length"),), "the finish reason is 'length' in place of 'stop'"),
    ("chat", (failed(429, message="Too many.", hint="Wait."),), "Too many. Wait."),
    ("chat", (failed(200, message="Cut."),), "Cut."),
    ("chat", (ProbeReply(502, None),), "the answer is no JSON error"),
    ("chat", (ProbeReply(200, {"choices": []}),), "the answer is no chat completion"),
    ("chat", (said(f"no {'x' * 99}"),), f'the answer should have "pong" in it: "no {"x" * 56}…"'),
    ("response", (responded("no"),), 'the answer should have "pong" in it: "no"'),
    ("response", (responded("po", "incomplete"),), "the status is 'incomplete' in place of 'completed'"),
    ("response", (failed(404, message="gone"),), "gone"),
    ("streamed chat", (said("pong", usage=None),), "the stream had no chunk with the usage"),
    ("tool call", (said("4711"),), 'the model called no tool, it said "4711"'),
    ("tool call", (called(ROOM, reason="stop"),), "the finish reason is 'stop' in place of 'tool_calls'"),
    ("tool call", (called("{}"),), f"the call is look_up_code({{}}) in place of look_up_code({ROOM})"),
    ("tool call", (called("{"),), f"the call is look_up_code({{) in place of look_up_code({ROOM})"),
    ("tool call", (called(ROOM, name="x"),), f"the call is x({ROOM}) in place of look_up_code({ROOM})"),
    (
        "tool call",
        (called(ROOM), said("4711", thread="fresh")),
        "the turn was not held open for the result, the conversation had to be sent anew (its thread was fresh)",
    ),
    ("json schema", (said("Oslo"),), 'the answer does not match the schema: "Oslo"'),
    ("json schema", (said("[1]"),), 'the answer does not match the schema: "[1]"'),
    ("json schema", (said('{"city": 1}'),), 'the answer does not match the schema: "{\\"city\\": 1}"'),
    (
        "second turn",
        (said("84"), said("140", thread="fresh")),
        "the next turn did not continue the thread of the one before (its thread was fresh)",
    ),
    (
        "second turn",
        (said("84"), said("140", usage=None)),
        "there is no usage, so the number of cached tokens is unknown",
    ),
]


@pytest.mark.parametrize(("name", "replies", "words"), WRONG)
def test_a_wrong_answer_is_told_with_what_is_wrong(name: str, replies: tuple[ProbeReply, ...], words: str) -> None:
    with pytest.raises(WrongAnswer) as raised:
        run(name, *replies)
    assert str(raised.value) == words


def chunk(reason: str | None = None, **delta: str) -> dict[str, Any]:
    return {"model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}], "usage": None}


def test_the_chunks_of_a_stream_make_the_completion_that_a_plain_request_gets() -> None:
    chunks = [chunk(role="assistant"), chunk(content="po"), chunk(content="ng"), chunk("stop")]
    message = {"message": {"role": "assistant", "content": "pong"}, "finish_reason": "stop"}
    assert joined(chunks) == {"model": "m", "choices": [message]}
    assert joined([*chunks, {"choices": [], "usage": CACHED}])["usage"] == CACHED
    assert joined([*chunks, {"error": {"message": "cut"}}]) == {"error": {"message": "cut"}}
    assert joined([chunk("stop"), chunk("stop")])["choices"][0]["finish_reason"] == "stop stop"
    assert joined([])["choices"][0]["finish_reason"] is None


OK = CheckResult("chat", None, "pong", (said("pong", ms=12, request_id="req_1", thread="fresh"),))
NONE = CheckResult("tool call", "no answer", "", ())
LOGIN = CheckResult("chat", "log in", "", (failed(401, message="log in"),))


def test_a_result_has_a_line_with_all_that_is_known_of_it() -> None:
    assert selftest_line(OK) == (
        'ok      chat                12 ms  "pong" · 100 tokens in (40 cached), 20 out · req_1\n'
    )
    assert selftest_line(NONE) == "FAILED  tool call            0 ms  no answer\n"
    assert selftest_line(LOGIN) == "FAILED  chat                 0 ms  log in · HTTP 401\n"
    assert "100 tokens in (40 cached), 20 out" in selftest_line(OK._replace(replies=(responded("pong"),)))
    streamed = OK._replace(replies=(said("pong", first_ms=7, ms=9),))
    assert '"pong" · first word after 7 ms · 100' in selftest_line(streamed)


def test_the_last_line_counts() -> None:
    assert selftest_summary([OK, NONE]) == "1 of 2 ok, 0.0 s, 100 tokens in (40 cached), 20 out\n"
    assert selftest_summary([NONE]) == "0 of 1 ok, 0.0 s\n"


def test_a_result_as_json() -> None:
    assert OK.document() == {
        **{"version": 2, "name": "chat", "ok": True, "detail": None, "answer": "pong", "ms": 12, "first_ms": None},
        "model": None,
        "usage": {"prompt_tokens": 100, "cached_tokens": 40, "completion_tokens": 20},
        **{"threads": ["fresh"], "request_ids": ["req_1"]},
    }
    assert (NONE.document()["ok"], NONE.document()["usage"]) == (False, {})
    assert [result.is_login for result in (OK, NONE, LOGIN)] == [False, False, True]
