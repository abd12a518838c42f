"""The usage of a thread without raw events: from its sums, exact or not at all."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.openai.answer.outputs import Finish
from codex_server_cli.core.openai.answer.spent import SpentTokens
from codex_server_cli.core.protocol.rpc import Message
from tests.core.openai.bodies import request
from tests.kit.chat import USAGE, WIRE_USAGE, chat_run
from tests.kit.dialogue import notification, turn_notification

NOTHING = dict.fromkeys(WIRE_USAGE, 0)


def times(n: int, usage: dict[str, Any] = WIRE_USAGE) -> dict[str, Any]:
    return {name: n * count for name, count in usage.items()}


def updated(total: Any, last: Any = WIRE_USAGE) -> Message:
    return notification("thread/tokenUsage/updated", tokenUsage={"total": total, "last": last})


def usages(*messages: Message, spent: SpentTokens | None = None) -> list[Any]:
    """The usage of each raw event that the messages become."""
    spent = spent or SpentTokens()
    raw = [spent.as_raw(message) for message in messages]
    return [each["params"]["usage"] for each in raw if each["method"] == "rawResponse/completed"]


def test_each_response_is_counted_by_itself() -> None:
    assert usages(updated(WIRE_USAGE), updated(times(3), times(2))) == [WIRE_USAGE, times(2)]


def test_a_sum_that_is_told_again_is_no_response() -> None:
    spent = SpentTokens()
    assert usages(updated(WIRE_USAGE), updated(WIRE_USAGE), spent=spent) == [WIRE_USAGE]
    assert usages(updated(WIRE_USAGE), updated(times(2)), spent=spent) == [WIRE_USAGE]  # in the next turn
    assert usages(updated(NOTHING, NOTHING)) == []


def test_a_sum_that_has_grown_by_more_is_no_usage_and_the_next_is_exact_again() -> None:
    assert usages(updated(times(2)), updated(times(3))) == [None, WIRE_USAGE]
    assert usages(updated(WIRE_USAGE, None), updated("?", "?")) == [None, None]


def test_every_other_message_stays_as_it_is() -> None:
    message = notification("item/agentMessage/delta", delta="x")
    assert SpentTokens().as_raw(message) is message


def test_an_answer_has_its_usage_from_it() -> None:
    spent, run = SpentTokens(), chat_run(request())
    messages = [
        turn_notification("turn/started"),
        updated(WIRE_USAGE),
        turn_notification("turn/completed", status="completed"),
    ]
    outputs = [output for message in messages for output in run.feed(spent.as_raw(message), 0.0)]
    assert outputs == [Finish("stop", USAGE)]
