"""Every recorded transcript of the real app-server gives the right result, live and replayed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

import pytest

from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.record.replay import replay
from codex_server_cli.core.result.outcome import Cause, Outcome, decide
from codex_server_cli.core.session.session import Session
from codex_server_cli.errors import ErrorKind
from tests.kit.captures import TURN_ID, CapturedTurn, capture_names, captured_turns
from tests.kit.cases import for_each

_TOOL = "done after tool: "


@dataclass(frozen=True)
class Expected:
    """The result of one turn: `responses` counts the model responses whose tokens were reported."""

    answer: str | None
    responses: int
    kind: ErrorKind | None = None

    @property
    def state(self) -> State:
        return {None: State.COMPLETE, ErrorKind.CANCELLED: State.CANCELLED}.get(self.kind, State.FAILED)

    @property
    def usage(self) -> dict[str, int] | None:
        one = {
            "input_tokens": 100,
            "cached_input_tokens": 40,
            "output_tokens": 20,
            "reasoning_output_tokens": 5,
            "total_tokens": 120,
        }
        return {name: self.responses * count for name, count in one.items()} if self.responses else None


def _failed(kind: ErrorKind, answer: str | None = None) -> list[Expected]:
    return [Expected(answer, 0, kind)]


def _shell(chunk: str, seconds: str, code: int, tokens: int, output: str) -> str:
    text = f"Chunk ID: {chunk}\\nWall time: {seconds} seconds\\nProcess exited with code {code}"
    return f'{_TOOL}"{text}\\nOriginal token count: {tokens}\\nOutput:\\n{output}"'


_REJECTED = r'"exec_command failed: CreateProcess { message: \"Rejected(\\\"rejected by user\\\")\" }"'
_PATCHED = r'"Exit code: 0\nWall time: 0.1 seconds\nOutput:\nSuccess. Updated the following files:\nA cap1.txt\n"'
_MCP_REJECTED = (
    r'[{"type": "input_text", "text": "Wall time: 0.0043 seconds\nOutput:"}, '
    r'{"type": "input_text", "text": "user rejected MCP tool call"}]'
)
_MCP_ELICITED = (
    r'[{"type": "input_text", "text": "Wall time: 0.0095 seconds\nOutput:"}, '
    r'{"type": "input_text", "text": "elicited {\"action\": \"accept\", \"content\": {\"name\": \"Bob\"}}"}]'
)

EXPECTED = {
    "approval_cmd_accept": [Expected(_shell("a0fd3b", "0.0000", 0, 0, ""), 2)],
    "approval_cmd_cancel": [Expected(None, 1, ErrorKind.CANCELLED)],
    "approval_cmd_decline": [Expected(_TOOL + _REJECTED, 2)],
    "approval_patch_accept": [Expected(_TOOL + _PATCHED, 2)],
    "approval_patch_decline": [Expected(f'{_TOOL}"patch rejected by user"', 2)],
    "basic_turn": [Expected("Hello from mock", 1)],
    "dynamic_tool": [Expected(f'{_TOOL}"R"', 2)],
    "error_CTX": _failed(ErrorKind.CONTEXT_WINDOW),
    "error_DISC": _failed(ErrorKind.NETWORK, "partial"),
    "error_ERR_400": _failed(ErrorKind.BAD_REQUEST),
    "error_ERR_401": _failed(ErrorKind.AUTH),
    "error_ERR_500": _failed(ErrorKind.OVERLOADED),
    "error_INCOMPLETE_max_output_tokens": _failed(ErrorKind.BAD_REQUEST),
    "error_OVERLOAD": _failed(ErrorKind.OVERLOADED),
    "error_RL429": _failed(ErrorKind.RATE_LIMIT),
    "error_USAGE": _failed(ErrorKind.USAGE_LIMIT),
    "exec_ok_and_fail": [
        Expected(_shell("e2c624", "0.0129", 0, 2, "hello\\n"), 2),
        Expected(_shell("d90c4b", "0.0000", 3, 0, ""), 2),
    ],
    "interrupt": [Expected("0 1 2 ", 0, ErrorKind.CANCELLED)],
    "mcp_decline": [Expected(_TOOL + _MCP_REJECTED, 2)],
    "mcp_tool_approval_and_elicitation": [Expected(_TOOL + _MCP_ELICITED, 2)],
    "output_schema": [Expected('{"answer": 42}', 1)],
    "reasoning_commentary_final": [Expected("final answer", 1)],
    "request_user_input_plan_mode": [Expected(rf'{_TOOL}"{{\"answers\":{{}}}}"', 2)],
    "retry_then_success": [Expected("Hello from mock", 1)],
    # The review's own turn has no usage. The compaction's begins with the last report of the turn before it, which
    # counts here, because the cut has lost that turn (test_usage: where it has not).
    "review_and_compact": [Expected("Hello from mock", 1), Expected("Hello from mock", 0), Expected("", 2)],
    "steer": [Expected("slow done", 1)],
}

TURNS = [
    pytest.param(turn, expected, id=f"{name}-{index}")
    for name in EXPECTED
    for index, (turn, expected) in enumerate(zip(captured_turns(name), EXPECTED[name], strict=True))
]
# A session drives one turn per thread: only the first turn of each capture fits.
FIRST_TURNS = [pytest.param(captured_turns(name)[0], EXPECTED[name][0], id=name) for name in EXPECTED]


def _replayed(turn: CapturedTurn, events: bytes) -> Outcome:
    was_interrupted = any(is_ours and m.get("method") == "turn/interrupt" for is_ours, m in turn.messages)
    cause = Cause.CANCELLED if was_interrupted else Cause.TURN_ENDED
    return decide(replay(events)[0], cause, turn.request)


def _assert_as_expected(outcome: Outcome | None, expected: Expected) -> None:
    assert outcome is not None
    assert outcome.answer == expected.answer
    assert outcome.state is expected.state
    assert (outcome.error.kind if outcome.error else None) is expected.kind
    assert outcome.usage == expected.usage


def test_every_capture_is_in_the_table() -> None:
    assert capture_names() == sorted(EXPECTED)


@for_each(("turn", "expected"), TURNS)
def test_a_recorded_turn_replays_to_its_result(turn: CapturedTurn, expected: Expected) -> None:
    _assert_as_expected(_replayed(turn, turn.events()), expected)


@for_each(("turn", "expected"), FIRST_TURNS)
def test_a_session_that_lives_through_a_recorded_turn_gives_the_same_result(
    turn: CapturedTurn, expected: Expected
) -> None:
    session = Session(turn.request, "go", "0")
    turn.play(session)
    _assert_as_expected(session.outcome, expected)
    assert session.outcome == _replayed(turn, turn.events())


@for_each(("turn", "expected"), FIRST_TURNS)
def test_the_log_of_a_session_replays_to_the_text_and_the_result_of_that_session(
    turn: CapturedTurn, expected: Expected
) -> None:
    session = Session(turn.request, "go", "0")
    events, text = turn.play(session)
    assert replay(events)[1] == text
    assert _without_decisions(replay(turn.events())[1]) == _without_decisions(text)
    assert session.outcome == _replayed(turn, events)


def _without_decisions(text: str) -> str:
    """The recording user may have allowed what our session refused."""
    return re.sub(r"^\[(approval|reply) \d+: .*\]$", "", text, flags=re.MULTILINE)


def test_the_text_of_a_broken_stream_is_shown_once_however_often_it_was_sent() -> None:
    _, text = replay(captured_turns("error_DISC")[0].events())
    reason = "stream disconnected before completion: stream closed before response.completed"
    retries = "".join(f"↻ Reconnecting... {n}/2 ({reason})\n\n" for n in (1, 2))
    assert text == f"partial\n\n{retries}✗ {reason}\n"


def test_a_whole_turn_reads_well() -> None:
    _, text = replay(captured_turns("exec_ok_and_fail")[0].events())
    command, _, answer = text.partition("\n\n")
    assert command == "$ echo hello\nhello\n→ exit 0 · 0.0 s"
    assert answer.startswith(_TOOL)
    _, text = replay(captured_turns("reasoning_commentary_final")[0].events())
    assert text == "· **Thinking** about it\n\nI will look.\n\nfinal answer\n"


def _tears(data: bytes) -> list[int]:
    """Where a log may be torn: beside the border of every line, and at some bytes within."""
    borders = [match.end() for match in re.finditer(rb"\n", data)]
    beside = {border + offset for border in [0, *borders] for offset in (-2, -1, 0, 1)}
    within = Random(len(data)).sample(range(len(data)), 3 * len(borders))
    return sorted(end for end in beside.union(within) if 0 <= end < len(data))


TORN = ["error_DISC", "reasoning_commentary_final", "review_and_compact"]


@for_each("name", TORN)
def test_a_log_torn_anywhere_replays_to_a_beginning_of_the_whole(name: str) -> None:
    data = captured_turns(name)[-1].events()
    _, whole = replay(data)
    for end in _tears(data):
        record, text = replay(data[:end])
        assert whole.startswith(text), end
        assert decide(record, Cause.WORKER_DIED, TurnRequest(TURN_ID, "/project")).state.is_end, end
