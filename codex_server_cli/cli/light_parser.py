"""The plain cases of a command line, without typer, whose import would double the time of `status`.

Owns no grammar of its own: it returns the same values as `typer_parser`, or None, and then typer decides and words
every error. A test compares the two with generated lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from codex_server_cli.cli.parameters import Parameter, defaults_of


def parse(parameters: Sequence[Parameter], arguments: Sequence[str]) -> dict[str, Any] | None:
    """The values of a verb's parameters, by name; None for a line that is not plain.

    Args:
        parameters: of the verb.
        arguments: the command line after the verb.
    """
    by_flag = {flag: each for each in parameters for flag in each.flags}
    given = defaults_of(parameters)
    words: list[str] = []
    rest = iter(arguments)
    for word in rest:
        if word == "--":
            words += rest
            break
        if not word.startswith("-") or word == "-":
            words.append(word)
            continue
        flag, has_value, text = word.partition("=")
        parameter = by_flag.get(flag)
        if parameter is None or (has_value and not flag.startswith("--")):  # `-C=x` has the value `=x`
            return None
        if parameter.type is bool:
            if has_value:
                return None
            given[parameter.name] = True
            continue
        value = _value(parameter, text if has_value else next(rest, None))
        if value is None:
            return None
        if parameter.is_list:
            given[parameter.name].append(value)
        else:
            given[parameter.name] = value
    return given if _place(words, [each for each in parameters if not each.flags], given) else None


def _value(parameter: Parameter, text: str | None) -> Any:
    """The value of a text; None if it is missing, or not plainly valid."""
    if text is None or parameter.type is str:
        return text
    if issubclass(parameter.type, StrEnum):
        return next((each for each in parameter.type if each == text), None)
    is_plain = len(text) < 10 and text.isascii() and text.isdigit() and int(text) >= (parameter.minimum or 0)
    return int(text) if is_plain else None


def _place(words: list[str], arguments: list[Parameter], given: dict[str, Any]) -> bool:
    """Assign words to arguments; False if one is missing or there are too many."""
    for argument in arguments:
        if argument.is_required and not words:
            return False
        if argument.is_list:
            given[argument.name], words = words, []
        elif words:
            given[argument.name], *words = words
    return not words
