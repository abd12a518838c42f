"""Query parameters. Owns their check: an unknown one is refused, as in a body."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from typing import NoReturn

from starlette.requests import Request

from codex_server_cli.core.duration import parse_duration_s
from codex_server_cli.core.openai.refusal import invalid
from codex_server_cli.errors import UsageError
from codex_server_cli.gateway.turns.parameters import members_of


class QueryForm(StrEnum):
    """The type of a parameter's value."""

    TEXT = "text"
    SWITCH = "true or false"
    NUMBER = "a whole number"
    SECONDS = "a duration"


FULL: Mapping[str, QueryForm] = {"full": QueryForm.SWITCH}
"""Accepted almost everywhere: `true` for the whole document."""
STATUS: Mapping[str, QueryForm] = {**FULL, "fields": QueryForm.TEXT}
ANSWER: Mapping[str, QueryForm] = {**FULL, "wait": QueryForm.SECONDS}
EVENTS: Mapping[str, QueryForm] = {**FULL, "after": QueryForm.TEXT, "deltas": QueryForm.SWITCH}
LIST: Mapping[str, QueryForm] = {
    **STATUS,
    "limit": QueryForm.NUMBER,
    **dict.fromkeys(("before", "state", "cwd", "thread", "search", "since", "name"), QueryForm.TEXT),
}

_SWITCH = {"": True, "1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


class QueryOf:
    """The query string of one request.

    Args:
        request: the request.
        names: the known parameters.
        may_have_more: unknown ones are ignored, not refused: OpenAI's clients send some that mean nothing here.

    Raises:
        ApiError: a parameter is unknown, or given twice.
    """

    def __init__(self, request: Request, *names: str, may_have_more: bool = False) -> None:
        given = [each for each in request.query_params.multi_items() if not may_have_more or each[0] in names]
        times = Counter(name for name, _ in given)
        twice = next((name for name, number in times.items() if number > 1), None)
        if twice is not None:
            raise invalid(f"`{twice}` is given twice", twice, "invalid_value")
        self._values: Mapping[str, str] = members_of(dict(given), names)
        for name, value in self._values.items():
            if "\0" in value or "\ufffd" in value:  # replaces invalid UTF-8
                raise invalid(f"`{name}` is not valid text", name, "invalid_value")

    def text(self, name: str) -> str | None:
        """A text; None if not given."""
        return self._values.get(name)

    def switch(self, name: str, *, default: bool = False) -> bool:
        """A boolean: `true` or `false`; a name without a value means true."""
        value = self._values.get(name)
        if value is None:
            return default
        if value.lower() not in _SWITCH:
            _refuse(name, "true or false", value)
        return _SWITCH[value.lower()]

    def number(self, name: str, *, least: int = 0, most: int = 2**53, default: int | None = None) -> int | None:
        """A whole number."""
        value = self._values.get(name)
        if value is None:
            return default
        if not (value.isascii() and value.isdigit() and len(value) < 17 and least <= int(value) <= most):
            _refuse(name, f"a whole number from {least}" + (f" to {most}" if most < 2**53 else ""), value)
        return int(value)

    def seconds(self, name: str, *, most: float) -> float:
        """A duration, bounded; 0 if not given."""
        value = self._values.get(name)
        if value is None:
            return 0.0
        try:
            seconds = parse_duration_s(value, name)
        except UsageError:
            seconds = most + 1
        if seconds > most:
            _refuse(name, f"a number of seconds, at most {most:g}", value)
        return seconds


def _refuse(name: str, wanted: str, value: str) -> NoReturn:
    raise invalid(f"`{name}` is {wanted}, not {value[:40]!r}", name, "invalid_value")
