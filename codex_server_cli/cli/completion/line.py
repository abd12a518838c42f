"""Where in a command line the cursor is, and what can follow: verbs, flags, the value of a flag, an argument.

Made from the table, like the parsers. Owns no values: `values` finds them. Must never fail for an invalid line: it then
offers nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from codex_server_cli.cli.parameters import Offer, Parameter
from codex_server_cli.cli.table import GROUPS, VERBS, verb_of


class Candidate(NamedTuple):
    """One word that can follow, and its description in one line; "" if it needs none."""

    word: str
    what: str = ""


class CursorContext(NamedTuple):
    """What can follow at the cursor.

    Attributes:
        words: fixed words, whether or not they begin with the typed text.
        offers: values to look up; None for none.
        typed: the typed beginning of it.
        prefix: the text before it in the same shell word, like `--model=`.
        others: the flags and arguments of this line with a value, by name.
    """

    words: Sequence[Candidate] = ()
    offers: Offer | None = None
    typed: str = ""
    prefix: str = ""
    others: dict[str, str] = {}  # noqa: RUF012 — never changed


def fitting(here: CursorContext, values: Iterable[Candidate] = ()) -> list[Candidate]:
    """The words for a context that begin with the typed text, each with the context's prefix.

    Args:
        values: the values that were looked up for it.
    """
    found = (*here.words, *values)
    return [
        each._replace(word=here.prefix + each.word)
        for each in found
        if each.word.startswith(here.typed) and each.word.isprintable()  # a file name may contain a line end
    ]


_GLOBAL = (
    Candidate("--version", "show the version"),
    Candidate("--help", "show the help"),
    Candidate("--install-completion", "let this shell complete"),
    Candidate("--show-completion", "show what that installs"),
)
_HELP = Candidate("--help", "show the help")


def context_at(before: Sequence[str], typed: str) -> CursorContext:
    """What can follow after some words of a line.

    Args:
        before: the words after the program's name and before the cursor's.
        typed: the cursor's word, up to the cursor.
    """
    words = list(before[1:] if before[:1] == ["help"] else before)
    verb = verb_of(words)
    if verb is not None:
        return _in_verb(VERBS[verb].parameters, words[len(verb.split()) :], typed)
    if not words:
        flags = _GLOBAL if typed.startswith("-") else ()
        return CursorContext(flags or (*_first_words(), Candidate("help", "the help of a command")), typed=typed)
    if len(words) == 1 and words[0] in GROUPS:
        return CursorContext(_second_words(words[0]), typed=typed)
    return CursorContext()


def _first_words() -> list[Candidate]:
    singles = {name: verb.help for name, verb in VERBS.items() if " " not in name}
    return [Candidate(*each) for each in (singles | GROUPS).items()]


def _second_words(group: str) -> list[Candidate]:
    found = ((name.partition(" "), verb.help) for name, verb in VERBS.items())
    return [Candidate(second, text) for (first, _, second), text in found if first == group]


def _in_verb(parameters: Sequence[Parameter], words: Sequence[str], typed: str) -> CursorContext:
    by_flag = {flag: each for each in parameters for flag in each.flags}
    arguments = [each for each in parameters if not each.flags]
    given: dict[str, str] = {}
    open_flag: Parameter | None = None
    is_over = False  # after --, nothing is a flag
    for word in words:
        if open_flag is not None:
            given[open_flag.name], open_flag = word, None
        elif is_over or not word.startswith("-") or word == "-":
            _place_argument(arguments, given, word)
        elif word == "--":
            is_over = True
        else:
            flag, has_value, value = word.partition("=")
            parameter = by_flag.get(flag)
            if parameter is not None:
                given[parameter.name] = value
                open_flag = parameter if parameter.type is not bool and not has_value else None
    if open_flag is not None:
        return _value_of(open_flag, typed, "", given)
    if typed.startswith("-") and not is_over:
        return _flag_at(by_flag, parameters, typed, given)
    argument = next((each for each in arguments if each.is_list or each.name not in given), None)
    if argument is None and not is_over:
        return CursorContext(_flags(parameters, given), typed=typed)
    return CursorContext() if argument is None else _value_of(argument, typed, "", given)


def _place_argument(arguments: Sequence[Parameter], given: dict[str, str], word: str) -> None:
    argument = next((each for each in arguments if each.is_list or each.name not in given), None)
    if argument is not None:
        given[argument.name] = word


def _flag_at(
    by_flag: dict[str, Parameter], parameters: Sequence[Parameter], typed: str, given: dict[str, str]
) -> CursorContext:
    flag, has_value, value = typed.partition("=")
    if not has_value:
        return CursorContext(_flags(parameters, given), typed=typed)
    parameter = by_flag.get(flag)
    return CursorContext() if parameter is None else _value_of(parameter, value, f"{flag}=", given)


def _flags(parameters: Sequence[Parameter], given: dict[str, str]) -> list[Candidate]:
    """The flags that are not in the line yet, by their long names."""
    free = (each for each in parameters if each.flags and (each.is_list or each.name not in given))
    return [*(Candidate(max(each.flags, key=len), each.help or "") for each in free), _HELP]


def _value_of(parameter: Parameter, typed: str, prefix: str, given: dict[str, str]) -> CursorContext:
    words = [Candidate(each) for each in parameter.type] if issubclass(parameter.type, StrEnum) else []
    return CursorContext(words, parameter.offers, typed, prefix, given)
