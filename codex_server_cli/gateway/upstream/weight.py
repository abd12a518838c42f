"""The estimated length of a JSON value as text: it decides where it is encoded, and what goes into one message."""

from __future__ import annotations

from typing import Any

LONG = 256 * 1024
"""From this many characters on, encoding is slow enough to be done off the event loop."""


def characters(value: Any, *, per_value: int = 4) -> int:
    """The characters of all strings in a JSON value, plus a constant for each value."""
    total, rest = 0, [value]
    while rest:
        each = rest.pop()
        if isinstance(each, str):
            total += len(each)
        elif isinstance(each, dict):
            rest += each.values()
            total += sum(map(len, each))
        elif isinstance(each, list | tuple):
            rest += each
        total += per_value
    return total
