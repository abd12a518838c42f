"""What the app-server's JSON reader takes, and what it would drop without a word."""

from __future__ import annotations

import json
from typing import Any

from codex_server_cli.core.protocol.sendable import MOST_DEPTH, why_unreadable
from tests.kit.cases import for_each


def nested(levels: int) -> Any:
    value: Any = "x"
    for number in range(levels):
        value = [value] if number % 2 else {"a": value}
    return value


@for_each(
    "value",
    [
        {"id": 1, "method": "m", "params": {}},
        {"id": None, "a": [True, None, 1.5, "ü", "😀", {}, []]},
        2**64,
        -(10**300),
        nested(MOST_DEPTH - 1),
    ],
)
def test_what_the_app_server_reads_is_sent(value: Any) -> None:
    assert why_unreadable(value) is None


@for_each(
    "text, problem",
    [
        ('{"a":"\\ud800"}', "half of a UTF-16 pair"),
        ('{"\\udfff":1}', "half of a UTF-16 pair"),
        ('{"a":[1e999]}', "not finite"),
        ('{"a":-Infinity}', "not finite"),
        ('{"a":NaN}', "not finite"),
        ('{"a":1' + "0" * 308 + "}", "too large"),
        ('{"a":-1' + "0" * 308 + "}", "too large"),
    ],
)
def test_what_it_cannot_read_is_told(text: str, problem: str) -> None:
    assert problem in str(why_unreadable(json.loads(text)))


def test_a_message_that_is_nested_too_deep_is_told() -> None:
    assert "nested deeper" in str(why_unreadable(nested(MOST_DEPTH)))
    assert "nested deeper" in str(why_unreadable(nested(500)))
