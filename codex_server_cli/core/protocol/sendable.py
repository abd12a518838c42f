"""Whether the app-server can parse a message. Owns the differences between its JSON parser and ours.

It silently drops what it cannot parse, so a caller would wait forever.
"""

from __future__ import annotations

import math
from typing import Any

MOST_DEPTH = 100
"""The deepest nesting of a message; serde_json reads 127 levels."""

_MOST_NUMBER = 10**308


def why_unreadable(message: Any) -> str | None:
    """What the app-server cannot read in a JSON value; None if it can read all of it."""
    level = [message]
    for _ in range(MOST_DEPTH):
        inner: list[Any] = []
        for value in level:
            problem = _problem(value)
            if problem is not None:
                return problem
            if isinstance(value, dict):
                inner += value
                inner += value.values()
            elif isinstance(value, list):
                inner += value
        if not inner:
            return None
        level = inner
    return f"the message is nested deeper than {MOST_DEPTH} levels"


def _problem(value: Any) -> str | None:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return "a text has half of a UTF-16 pair (a lone \\ud800 to \\udfff)"
    elif isinstance(value, float) and not math.isfinite(value):
        return "a number is not finite"
    elif isinstance(value, int) and abs(value) >= _MOST_NUMBER:
        return "a number is too large"
    return None
