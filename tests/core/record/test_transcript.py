"""What `out.txt` shows: everything once, in order, raw."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from codex_server_cli.core.record.pieces import joined as text_of
from codex_server_cli.core.record.transcript import RESTARTED, Transcript
from tests.kit.cases import for_each
from tests.kit.dialogue import (
    RETRY,
    Json,
    delta,
    error_notification,
    item_notification,
    message_completed,
    message_started,
    notification,
    said,
    usage_notification,
)

RETRIED = "↻ Reconnecting... 1/2\n"


def shown(*messages: Json) -> str:
    """All the text that these messages add."""
    transcript = Transcript()
    return "".join(text_of(transcript.feed(message)) for message in messages)


# --- plain text


def test_text_is_shown_as_it_streams() -> None:
    transcript = Transcript()
    assert text_of(transcript.feed(message_started())) == ""
    assert text_of(transcript.feed(delta("Hel"))) == "Hel"
    assert text_of(transcript.feed(delta("lo"))) == "lo"
    assert text_of(transcript.feed(message_completed("Hello"))) == "\n"


def test_text_that_ends_its_line_gets_no_second_one() -> None:
    assert shown(message_started(), delta("Hello\n"), message_completed("Hello\n")) == "Hello\n"


def test_text_stays_raw() -> None:
    text = "\x1b[31mred\u2028\x85\r\n\ttab"
    assert shown(message_started(), delta(text), message_completed(text)) == text + "\n"


def test_what_the_deltas_left_out_is_shown_at_the_end() -> None:
    assert shown(message_started(), delta("Hel"), message_completed("Hello")) == "Hello\n"
    assert shown(message_completed("Hello")) == "Hello\n"
    assert shown(delta("Hel"), message_completed("Hello")) == "Hello\n"


def test_a_message_that_begins_with_text_is_shown_once() -> None:
    messages = [message_started(text="Hel"), delta("lo"), message_completed("Hello")]
    assert shown(*messages) == "Hello\n"
    assert shown(message_started(text="Hello"), message_completed("Hello")) == "Hello\n"


def test_a_completed_text_that_differs_is_shown_again_and_says_so() -> None:
    assert shown(message_started(), delta("0 1 2"), message_completed("done")) == f"0 1 2\n{RESTARTED}done\n"
    assert shown(message_started(), delta("0 1 2"), message_completed("")) == f"0 1 2\n{RESTARTED}"


def test_an_empty_message_shows_nothing() -> None:
    assert shown(message_started(), message_completed("")) == ""


def test_messages_stand_a_line_apart() -> None:
    assert shown(*said("I will look.", "c"), *said("Found it.", "m")) == "I will look.\n\nFound it.\n"


# --- retries


@for_each("new_id", ["msg-1", "msg-2"])
@for_each("has_notification", [True, False])
def test_text_that_a_retry_repeats_is_not_shown_twice(new_id: str, has_notification: bool) -> None:
    broken = [message_started(), delta("Hello "), delta("wor")]
    retry = [RETRY] if has_notification else []
    again = [message_started(new_id), delta("Hel", new_id), delta("lo world", new_id), delta("!", new_id)]
    text = shown(*broken, *retry, *again, message_completed("Hello world!", new_id))
    block = f"\n\n{RETRIED}\n" if has_notification else ""
    assert text == f"Hello wor{block}ld!\n"


def test_a_retry_that_says_something_else_starts_again_and_says_so() -> None:
    again = [message_started(), delta("Hello "), delta("there"), message_completed("Hello there")]
    text = shown(message_started(), delta("Hello world"), RETRY, *again)
    assert text == f"Hello world\n\n{RETRIED}{RESTARTED}Hello there\n"


def test_a_retry_that_diverges_within_a_piece_starts_again_with_all_of_it() -> None:
    again = [message_started(), delta("Hel"), delta("p me"), delta("!"), message_completed("Help me!")]
    assert shown(message_started(), delta("Hello"), *again) == f"Hello\n{RESTARTED}Help me!\n"


def test_a_retry_that_says_less_ends_with_what_was_said() -> None:
    again = [message_started(), delta("Hello"), message_completed("Hello")]
    assert shown(message_started(), delta("Hello world"), *again) == f"Hello world\n{RESTARTED}Hello\n"


def test_a_retry_that_says_the_same_adds_nothing() -> None:
    again = [message_started(), delta("Hello"), message_completed("Hello")]
    assert shown(message_started(), delta("Hello"), RETRY, *again) == f"Hello\n\n{RETRIED}"
    assert shown(message_started(), delta("Hello"), *again) == "Hello\n"


def test_a_retry_may_break_before_it_has_repeated_all() -> None:
    broken = [message_started(), delta("Hello wor"), RETRY, message_started(), delta("Hel"), RETRY]
    text = shown(*broken, *said("Hello world"))
    assert text == f"Hello wor\n\n{RETRIED}\n{RETRIED}\nld\n"


def test_messages_that_were_complete_before_the_retry_are_not_shown_twice() -> None:
    first = [*said("I will look.", "c", "commentary"), message_started("m"), delta("Hel", "m")]
    again = [*said("I will look.", "c", "commentary"), *said("Hello", "m")]
    assert shown(*first, RETRY, *again) == f"I will look.\n\nHel\n\n{RETRIED}\nlo\n"
    assert shown(*said("Hello"), RETRY, *said("Hello")) == f"Hello\n\n{RETRIED}"
    assert shown(*said("Hello"), RETRY, *said("Hello"), RETRY, *said("Hello")) == f"Hello\n\n{RETRIED}\n{RETRIED}"


def test_a_response_that_was_finished_is_not_expected_again() -> None:
    messages = [*said("Done."), usage_notification(), RETRY, *said("Done.")]
    assert shown(*messages) == f"Done.\n\n{RETRIED}\nDone.\n"


def test_a_block_between_the_pieces_of_a_text_stands_apart_from_it() -> None:
    warning = notification("warning", message="careful")
    assert shown(message_started(), delta("a"), warning, delta("b")) == "a\n\n! careful\n\nb"
    assert shown(message_started(), delta("a\n"), warning, delta("b")) == "a\n\n! careful\n\nb"


def _pieces(text: str, cuts: list[int]) -> list[str]:
    bounds = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    return [text[start:end] for start, end in pairwise(bounds)]


_CUTS = st.lists(st.integers(0, 40), max_size=5)
_TEXT = st.text(alphabet="ab \n", min_size=1, max_size=40)


@given(text=_TEXT, tries=st.lists(st.tuples(st.integers(0, 40), _CUTS), max_size=4), cuts=_CUTS)
def test_a_text_begun_again_and_again_is_shown_exactly_once(
    text: str, tries: list[tuple[int, list[int]]], cuts: list[int]
) -> None:
    """Broken off anywhere, in any pieces, and sent again from its beginning without a notification."""
    begun = [[message_started(), *map(delta, _pieces(text[:length], at))] for length, at in tries]
    whole = [message_started(), *map(delta, _pieces(text, cuts)), message_completed(text)]
    assert shown(*(message for messages in [*begun, whole] for message in messages)) == text.removesuffix("\n") + "\n"


@given(tries=st.lists(st.tuples(_TEXT, _CUTS), max_size=4), text=_TEXT, cuts=_CUTS)
def test_whatever_was_said_before_the_authoritative_text_stands_at_the_end(
    tries: list[tuple[str, list[int]]], text: str, cuts: list[int]
) -> None:
    begun = [[message_started(), *map(delta, _pieces(other, at))] for other, at in tries]
    whole = [message_started(), *map(delta, _pieces(text, cuts)), message_completed(text)]
    out = shown(*(message for messages in [*begun, whole] for message in messages))
    assert out.endswith(text.removesuffix("\n") + "\n")
    if RESTARTED not in out:
        assert out == text.removesuffix("\n") + "\n"


_WORD = st.text(alphabet="abc", min_size=1, max_size=8)


@given(
    texts=st.lists(_WORD, min_size=1, max_size=3),
    tries=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 8)), max_size=4),
    cuts=_CUTS,
)
def test_a_response_broken_anywhere_and_sent_again_is_shown_exactly_once(
    texts: list[str], tries: list[tuple[int, int]], cuts: list[int]
) -> None:
    """Each attempt completes some messages and a part of the next; then a retry is announced."""
    messages: list[Json] = []
    for number, (done, length) in enumerate(tries):
        for index, text in enumerate(texts[: done + 1]):
            id_, part = f"{number}-{index}", text if index < done else text[:length]
            messages += [message_started(id_), *(delta(piece, id_) for piece in _pieces(part, cuts))]
            messages += [message_completed(text, id_)] if index < done else []
        messages.append(RETRY)
    for index, text in enumerate(texts):
        id_ = f"last-{index}"
        messages += [message_started(id_), *(delta(piece, id_) for piece in _pieces(text, cuts))]
        messages.append(message_completed(text, id_))
    out = shown(*messages)
    assert out.count(RETRIED) == len(tries)
    assert out.replace(RETRIED, "").replace("\n", "") == "".join(texts)


# --- commands and other items


def _command(method: str, id_: str = "cmd-1", **item: Any) -> Json:
    return item_notification(f"item/{method}", "commandExecution", id_, command="bash -lc 'make test'", **item)


def _command_ended(id_: str = "cmd-1") -> Json:
    return _command("completed", id_, aggregatedOutput="ok\n", exitCode=0, durationMs=100, status="completed")


def test_a_command_is_shown_when_it_starts_and_ended_when_it_ends() -> None:
    transcript = Transcript()
    assert text_of(transcript.feed(_command("started", status="inProgress"))) == "$ make test\n"
    assert (
        text_of(transcript.feed(notification("item/commandExecution/outputDelta", itemId="cmd-1", delta="ok\n"))) == ""
    )
    assert text_of(transcript.feed(_command_ended())) == "ok\n→ exit 0 · 0.1 s\n"
    assert text_of(transcript.feed(delta("Done"))) == "\nDone"


def test_a_command_that_ends_after_something_else_is_named_again() -> None:
    text = shown(_command("started"), *said("Meanwhile."), _command_ended())
    assert text == "$ make test\n\nMeanwhile.\n\n$ make test\nok\n→ exit 0 · 0.1 s\n"


def test_of_two_commands_at_once_each_end_is_told_apart() -> None:
    text = shown(_command("started", "a"), _command("started", "b"), _command_ended("a"), _command_ended("b"))
    end = "$ make test\nok\n→ exit 0 · 0.1 s\n"
    assert text == f"$ make test\n\n$ make test\n\n{end}\n{end}"


def test_a_command_without_a_beginning_is_shown_whole() -> None:
    assert shown(_command_ended()) == "$ make test\nok\n→ exit 0 · 0.1 s\n"


def test_an_answer_that_is_cut_off_by_what_the_user_says_into_the_turn_does_not_restart() -> None:
    def user_said(text: str) -> Json:
        return item_notification("item/completed", "userMessage", content=[{"type": "text", "text": text}])

    cut = (user_said("prompt"), message_started(), delta("First words, "), usage_notification(), user_said("use tabs"))
    assert shown(*cut, *said("Tabs it is.", "msg-2")) == "First words, \n\n> use tabs\n\nTabs it is.\n"


def test_blocks_stand_a_line_apart() -> None:
    plan = notification("turn/plan/updated", plan=[{"step": "read", "status": "completed"}])
    reasoning = item_notification("item/completed", "reasoning", summary=["Hm."])
    reroute = notification("model/rerouted", fromModel="a", toModel="b")
    guardian = notification("guardianWarning", message="careful")
    failure = error_notification("gone", will_retry=False)
    text = shown(reasoning, plan, reroute, guardian, failure)
    assert text == "· Hm.\n\n☑ read\n\n! the model was changed from a to b\n\n! careful\n\n✗ gone\n"


@for_each(
    "message",
    [
        notification("a/method/of/a/newer/version", delta="x"),
        item_notification("item/started", "aTypeOfANewerVersion"),
        item_notification("item/completed", "aTypeOfANewerVersion", text="x"),
        item_notification("item/started", "reasoning"),
        notification("item/started", item=None),
        notification("item/completed", item="odd"),
        notification("item/agentMessage/delta", delta=None),
        notification("item/agentMessage/delta", delta=5),
        notification("error", error=None, willRetry=True),
        {"method": "warning"},
    ],
)
def test_what_is_unknown_or_odd_shows_nothing(message: Json) -> None:
    assert shown(message) == ""
