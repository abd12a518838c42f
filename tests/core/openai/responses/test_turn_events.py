"""A turn as the stream of a Response: its numbers are the same whenever they are counted."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from codex_server_cli.core.openai.responses.document import Json, ResponseHead, response_document
from codex_server_cli.core.openai.responses.told_events import ToldEvents
from codex_server_cli.core.openai.responses.turn_events import Numbered, TurnEvents
from codex_server_cli.core.protocol.rpc import encode
from tests.kit.captures import CapturedTurn, captured_turns
from tests.kit.cases import examples, for_each
from tests.kit.official import official_event
from tests.kit.turn_logs import (
    BEGIN,
    SUMMED,
    TURNS,
    completed,
    delta,
    disturbed_turns,
    event,
    left_of,
    single_lines,
    started,
    whole_items,
)

RETRY = event("error", willRetry=True, error={"message": "x"})
USED = event("thread/tokenUsage/updated", tokenUsage={"last": {"inputTokens": 1}})
STEERED = completed("userMessage", "u2", content=[{"text": "x"}])
PROMPT = completed("userMessage", "u1", content=[{"text": "x"}])
REATTACHED = {"dir": "out", "id": 9, "method": "initialize", "why": "reattach", "params": {}}
RESTARTED = {"dir": "out", "id": 9, "method": "initialize", "params": {}}


def response(status: Any, output: Any = ()) -> Json:
    return response_document(ResponseHead("resp_1", 1, "m"), status=status, output=output, usage=None, background=True)


def told(log: bytes, answer: str | None = None, *, in_pieces: bool = False) -> list[Numbered]:
    """All events of a log, taken at once or line by line."""
    events = TurnEvents(response)
    found = events.begin()
    for piece in log.splitlines(keepends=True) if in_pieces else [log]:
        found += events.feed(piece)
    return found + events.end(answer, "response.completed", lambda output: response("completed", output))


def log_of(*lines: Json) -> bytes:
    return BEGIN + b"".join(encode(line) for line in lines)


def short(events: list[Numbered]) -> list[str]:
    """The events as words: what they are about, and their text."""
    return [_short(each) for each in events[3:-1]]


def _short(each: Numbered) -> str:
    fields = each.event.fields
    name = each.event.type.removeprefix("response.").replace("output_", "").replace("reasoning_", "")
    text = fields.get("delta", fields.get("text"))
    if text is None and name == "item.done":
        text = fields["item"].get("status", "whole")
    return f"{each.number} {name}" + (f" {text}" if text is not None else "")


def output_of(events: list[Numbered]) -> list[Json]:
    output: list[Json] = events[-1].event.fields["response"]["output"]
    return output


def texts_of(events: list[Numbered]) -> list[str]:
    return [part["text"] for item in output_of(events) for part in item.get("content") or item["summary"]]


def resumed(events: list[Numbered], after: int) -> list[Numbered]:
    return [rest for each in events if (rest := each.after(after)) is not None]


def spelled(events: list[Numbered]) -> list[tuple[int, str, Json, str]]:
    """The events, of a text each character by itself."""
    found: list[tuple[int, str, Json, str]] = []
    for number, (type_, fields) in events:
        text = fields.get("delta", "")
        rest = {name: value for name, value in fields.items() if name != "delta"}
        found += [(number - len(text) + 1 + n, type_, rest, char) for n, char in enumerate(text)]
        found += [] if text else [(number, type_, rest, "")]
    return found


def assert_the_same_from_everywhere(log: bytes, answer: str | None = None) -> list[Numbered]:
    """The stream as it came while the turn ran, broken off anywhere, goes on from what its end left."""
    live, later = told(log, answer, in_pieces=True), told(left_of(log), answer)
    whole = spelled(live)
    assert whole == spelled(later)
    assert whole == spelled(told(log, answer))
    assert [number for number, *_ in whole] == list(range(len(whole)))
    for number in (-1, *(each.number for each in live[::2])):
        assert spelled(resumed(later, number)) == whole[number + 1 :]
    kept = ToldEvents()
    kept.add(live)
    for number in range(0, len(whole) + 2, 5):
        assert spelled(resumed(live, number)) == whole[number + 1 :]
        assert spelled(kept.behind(number)) == whole[number + 1 :]
    for new_events in (kept.behind(-1), kept.behind(4)):
        assert [kept.encoded(each) for each in new_events] == [each.encoded() for each in new_events]
    return live


def test_a_turn_is_a_stream_of_its_reasoning_and_its_messages() -> None:
    (turn,) = captured_turns("reasoning_commentary_final")
    events = told(turn.events(), in_pieces=True)
    assert [each.event.type for each in events[:3]] == [
        "response.created",
        "response.queued",
        "response.in_progress",
    ]
    assert short(events) == [
        "3 item.added",
        "4 summary_part.added",
        "22 summary_text.delta **Thinking** about",
        "25 summary_text.delta  it",
        "26 summary_text.done **Thinking** about it",
        "27 summary_part.done",
        "28 item.done whole",
        "29 item.added",
        "30 content_part.added",
        "34 text.delta I wi",
        "38 text.delta ll l",
        "42 text.delta ook.",
        "43 text.done I will look.",
        "44 content_part.done",
        "45 item.done completed",
        "46 item.added",
        "47 content_part.added",
        "51 text.delta fina",
        "55 text.delta l an",
        "59 text.delta swer",
        "60 text.done final answer",
        "61 content_part.done",
        "62 item.done completed",
    ]
    assert [item.get("phase") for item in output_of(events)] == [None, "commentary", "final_answer"]


@for_each("turn", TURNS, ids=[turn.name for turn in TURNS])
def test_every_recorded_turn_is_a_stream_that_fits_the_official_model(turn: CapturedTurn) -> None:
    events = assert_the_same_from_everywhere(turn.events(), "an answer of its own")
    for each in events:
        (name, data) = each.encoded().decode().removesuffix("\n\n").split("\n")
        official = official_event(json.loads(data.removeprefix("data: ")))
        assert (f"event: {official.type}", official.sequence_number) == (name, each.number)
    assert texts_of(events)[-1] == "an answer of its own"


_TWICE: dict[str, tuple[list[Json], list[str]]] = {
    "a message": ([started(), delta("a"), delta("b"), completed(text="ab")], ["ab"]),
    "a message that had a beginning": ([started(text="a"), delta("b"), completed(text="ab")], ["ab"]),
    "more than its pieces had": ([started(), delta("a"), completed(text="abc")], ["abc"]),
    "another text than its pieces had": ([started(), delta("b"), completed(text="ab")], ["ab"]),
    "no beginning": ([delta("a"), delta("b"), completed(text="ab")], ["ab"]),
    "no beginning and no pieces": ([completed(text="ab"), completed("reasoning", "r", summary=["c"])], ["ab", "c"]),
    "no end": ([started(), delta("a")], ["a"]),
    "an end twice": ([started(), delta("a"), completed(text="a"), completed(text="a")], ["a"]),
    "another end": ([started(), delta("a"), completed(text="a"), completed(text="b")], ["b"]),
    "pieces behind the end": ([started(), completed(text="a"), delta("b")], ["a"]),
    "a character of four bytes": ([started(), delta("😀"), delta("é"), completed(text="😀é")], ["😀é"]),
    "a summary of two parts": (
        [
            started("reasoning"),
            delta("a", SUMMED, summaryIndex=0),
            event("item/reasoning/summaryPartAdded", itemId="i", summaryIndex=1),
            delta("b", SUMMED, summaryIndex=1),
            completed("reasoning", summary=["a", "b"]),
            completed("reasoning", summary=["c"]),
        ],
        ["a", "b"],
    ),
    "a summary that ends otherwise": (
        [
            started("reasoning"),
            delta("a", SUMMED, summaryIndex=0),
            delta("x", SUMMED, summaryIndex=-1),
            delta("x", SUMMED),
            delta("x", SUMMED, summaryIndex=0, itemId="unknown"),
            completed("reasoning", summary=["b", "c"]),
            delta("x", SUMMED, summaryIndex=0),
        ],
        ["b", "c"],
    ),
    "a summary whose first piece was lost": (
        [started("reasoning"), delta("bc", SUMMED, summaryIndex=0), completed("reasoning", summary=["abc"])],
        ["abc"],
    ),
    "a summary of which one part ends otherwise": (
        [
            started("reasoning"),
            delta("ab", SUMMED, summaryIndex=0),
            delta("xy", SUMMED, summaryIndex=1),
            completed("reasoning", summary=["ab", "zz"]),
        ],
        ["ab", "zz"],
    ),
    "a summary whose parts came in another order": (
        [
            started("reasoning"),
            delta("xy", SUMMED, summaryIndex=1),
            delta("ab", SUMMED, summaryIndex=0),
            completed("reasoning", summary=["ab", "xy"]),
        ],
        ["ab", "xy"],
    ),
    "a summary that is cut off, and ends all the same": (
        [started("reasoning"), delta("a", SUMMED, summaryIndex=0), RETRY, completed("reasoning", summary=["a"])],
        ["a"],
    ),
    "reasoning beside a message": (
        [
            started(item_id="m"),
            delta("a", itemId="m"),
            started("reasoning", "r"),
            delta("x", SUMMED, summaryIndex=0, itemId="r"),
            delta("b", itemId="m"),
            completed(item_id="m", text="ab"),
            delta("y", SUMMED, summaryIndex=0, itemId="r"),
            started(item_id="n"),
            delta("c", itemId="n"),
            completed("reasoning", "r", summary=["xy"]),
            completed(item_id="n", text="c"),
        ],
        ["ab", "xy", "c"],
    ),
    "a message beside reasoning that is whole later": (
        [
            started("reasoning", "r"),
            started(item_id="m"),
            delta("a", itemId="m"),
            delta("x", SUMMED, summaryIndex=0, itemId="r"),
            delta("b", itemId="m"),
            completed(item_id="m", text="ab"),
            completed("reasoning", "r", summary=["x"]),
        ],
        ["x", "ab"],
    ),
    "the same text begun again": ([started(), delta("a"), RETRY, started(), delta("ab"), completed(text="ab")], ["ab"]),
    "another text begun again": ([started(), delta("a"), RETRY, started(), delta("b"), completed(text="b")], ["b"]),
    "a text begun again without a word": ([started(), delta("a"), started(), delta("b"), completed(text="b")], ["b"]),
    "all of a response again": (
        [
            started("reasoning", "r"),
            delta("x", SUMMED, summaryIndex=0, itemId="r"),
            completed("reasoning", "r", summary=["x"]),
            started(),
            delta("a"),
            completed(text="a"),
            RETRY,
            started("reasoning", "r"),
            delta("y", SUMMED, summaryIndex=0, itemId="r"),
            completed("reasoning", "r", summary=["y"]),
            started(),
            delta("b"),
            completed(text="b"),
        ],
        ["y", "b"],
    ),
    "a retry in vain": ([started(), delta("a"), RETRY, RETRY], ["a"]),
    "a retry that says nothing": ([started(), delta("a"), RETRY, USED], []),
    "a retry that runs something": ([started(), delta("a"), RETRY, started("commandExecution", "c")], []),
    "a retry of the second response": (
        [started(), completed(text="a"), USED, started(item_id="j"), RETRY, started(item_id="j")],
        ["a", ""],
    ),
    "the same id in the second response": (
        [started(), completed(text="a"), USED, started(), delta("b"), completed(text="b")],
        ["a", "b"],
    ),
    "what a user said meanwhile": (
        [PROMPT, started(), delta("a"), STEERED, started(), delta("b"), completed(text="b")],
        ["b"],
    ),
    "what was whole when a user said something": (
        [PROMPT, started(), completed(text="a"), STEERED, started(item_id="j"), completed(item_id="j", text="b")],
        ["a", "b"],
    ),
    "a lost connection": (
        [
            started(),
            delta("a"),
            started("reasoning", "r"),
            REATTACHED,
            delta("c"),
            delta("c", SUMMED, summaryIndex=0, itemId="r"),
            completed(text="abc"),
            completed("reasoning", "r", summary=["bc"]),
            started(item_id="j"),
            delta("d", itemId="j"),
            completed(item_id="j", text="d"),
        ],
        ["abc", "bc", "d"],
    ),
    "a review": (
        [
            completed("enteredReviewMode", "v", review="x"),
            started(),
            delta("a"),
            completed("exitedReviewMode", "w", review="fine"),
            started(item_id="j"),
            completed(item_id="j", text="fine"),
        ],
        ["fine"],
    ),
    "the end of a turn that has more": (
        [event("turn/completed", turn={"id": "c", "status": "completed", "items": [{"type": "agentMessage", "id": "i",
         "text": "a"}, {"type": "plan"}]})],
        ["a"],
    ),
    "the end of a turn that has nothing more": (
        [started(), completed(text="a"), event("turn/completed", turn={"id": "c", "status": "completed", "items": [{
         "type": "agentMessage", "id": "i", "text": "a"}]})],
        ["a"],
    ),
    "an odd phase": ([started(phase="x"), completed(text="a", phase=1)], ["a"]),
}  # fmt: skip


@for_each("lines, texts", _TWICE.values(), ids=[*_TWICE])
def test_a_stream_goes_on_from_any_place_of_it(lines: list[Json], texts: list[str]) -> None:
    events = assert_the_same_from_everywhere(log_of(*lines))
    assert texts_of(events) == texts
    for each in events:
        official_event(json.loads(each.encoded().split(b"data: ")[1]))


def test_an_attempt_that_failed_is_ended_and_the_next_is_an_item_of_its_own() -> None:
    events = told(log_of(started(), delta("a"), RETRY, started(), delta("b"), completed(text="b")), in_pieces=True)
    assert short(events) == [
        *("3 item.added", "4 content_part.added", "5 text.delta a"),
        *("6 text.done a", "7 content_part.done", "8 item.done incomplete"),
        *("9 item.added", "10 content_part.added", "11 text.delta b"),
        *("12 text.done b", "13 content_part.done", "14 item.done completed"),
    ]
    assert [item["id"] for item in output_of(events)] == ["i_2"]


def test_a_later_item_waits_for_those_before_it() -> None:
    lines = [started("reasoning", "r"), started(item_id="m"), delta("a", itemId="m")]
    events = TurnEvents(response)
    before = [*events.begin(), *events.feed(log_of(*lines))]
    assert [each.event.type for each in before[3:]] == ["response.output_item.added"]
    after = events.feed(encode(completed("reasoning", "r", summary=[])))
    assert [_short(each) for each in after] == [
        "4 item.done whole",
        "5 item.added",
        "6 content_part.added",
        "7 text.delta a",
    ]


def test_a_turn_that_never_began_ends_all_the_same() -> None:
    assert [each.event.type for each in told(b"")] == ["response.created", "response.queued", "response.completed"]


def test_a_turn_whose_name_never_came_is_known_by_its_beginning() -> None:
    asked = encode({"dir": "out", "id": 1, "method": "turn/start", "params": {"threadId": "t"}})
    begun = event("turn/started", turn={"id": "c"})
    log = asked + b"".join(encode(line) for line in (begun, started(), completed(text="a")))
    assert texts_of(assert_the_same_from_everywhere(log)) == ["a"]


def test_the_answer_is_told_where_no_message_is_it() -> None:
    log = log_of(started(), completed(text="a"))
    assert texts_of(told(log, "a")) == ["a"]
    assert texts_of(told(log, "b")) == ["a", "b"]
    assert output_of(told(log, "b"))[1]["phase"] == "final_answer"


def test_what_passes_beside_the_turn_is_not_told() -> None:
    lines = [
        {"dir": "session", "payload": {"type": "message"}},
        delta("x", "item/commandExecution/outputDelta"),
        started(item_id="j", type_="plan"),
        delta("x", threadId="another"),
        event("warning", message="x"),
    ]
    assert texts_of(told(log_of(*lines) + b"torn")) == []


def test_another_app_server_begins_anew() -> None:
    log = log_of(started(), delta("a"), RESTARTED) + log_of(started(), delta("b"), completed(text="b"))
    assert texts_of(assert_the_same_from_everywhere(log)) == ["b"]


@st.composite
def _beside_each_other(draw: st.DrawFn) -> list[Json]:
    """Messages and reasoning that come at once, or again after a failure."""
    kinds = draw(st.lists(st.sampled_from(["message", "reasoning"]), max_size=3))
    left = [_lines_of_item(kind, f"{kind[0]}{n}", draw) for n, kind in enumerate(kinds)]
    until_retry = draw(st.integers(-1, 6))
    found: list[Json] = []
    while left := [lines for lines in left if lines]:
        if len(found) == until_retry:
            found.append(RETRY)
            left = [_lines_of_item(kind, f"{kind[0]}{n}", draw) for n, kind in enumerate(kinds)]
        found.append(left[draw(st.integers(0, len(left) - 1))].pop(0))
    return found


def _lines_of_item(kind: str, id_: str, draw: st.DrawFn) -> list[Json]:
    texts = draw(st.lists(st.lists(st.sampled_from(["a", "b😀", "é"]), max_size=2), max_size=2))
    if kind == "message":
        pieces = [delta(piece, itemId=id_) for text in texts for piece in text]
        return [started(item_id=id_), *pieces, completed(item_id=id_, text="".join(map("".join, texts)))]
    pieces = [delta(piece, SUMMED, summaryIndex=n, itemId=id_) for n, text in enumerate(texts) for piece in text]
    begun = [event("item/reasoning/summaryPartAdded", itemId=id_, summaryIndex=0)]
    return [started("reasoning", id_), *begun, *pieces, completed("reasoning", id_, summary=list(map("".join, texts)))]


@examples(80)
@given(_beside_each_other())
def test_items_that_come_at_once_have_the_same_numbers_too(lines: list[Json]) -> None:
    assert_the_same_from_everywhere(log_of(*lines))


@examples(60)
@given(disturbed_turns())
def test_a_turn_that_went_otherwise_has_the_same_numbers_too(turn: CapturedTurn) -> None:
    assert_the_same_from_everywhere(turn.events())


@examples(80)
@given(st.lists(st.one_of(whole_items, single_lines.map(lambda line: [line])), max_size=12))
def test_whatever_order_its_lines_come_in_the_numbers_are_the_same(parts: list[list[Json]]) -> None:
    assert_the_same_from_everywhere(BEGIN + b"".join(encode(line) for part in parts for line in part))
