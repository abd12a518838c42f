"""How long a JSON value will be as text: enough to decide who encodes it, and what goes into one message."""

from __future__ import annotations

from typing import Any

LONG = 256 * 1024
"""Characters that take a while to encode: that is done beside the event loop."""


def characters(value: Any, *, per_value: int = 4) -> int:
    """The characters of all strings in a JSON value, and some for each value."""
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
