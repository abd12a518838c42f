"""The pages of `--help`, made from the table: for the program, a group, a verb. Owns their content.

`render.style.definitions` does the layout: rich's panels, which typer would print, cut flags and break choices in
mid-word on a narrow terminal. Must never be imported unless help is requested.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from enum import StrEnum
from shutil import get_terminal_size

from codex_server_cli.cli import output
from codex_server_cli.cli.parameters import Parameter
from codex_server_cli.cli.table import GROUPS, VERBS
from codex_server_cli.cli.tables.examples import EXAMPLES
from codex_server_cli.render.style.definitions import definitions, wrap
from codex_server_cli.render.style.ink import Style

HELP = (
    "Run OpenAI Codex turns that never make a shell wait.",
    "`new` answers with a turn id in a tenth of a second; a detached worker drives Codex; any other shell can read, "
    "follow or cancel the turn.",
)
_EXIT_CODES = (
    "0 complete, 1 failed, 2 not logged in, 3 abandoned, 4 cancelled, 5 needs an answer, 64 usage, "
    "65 bad input, 66 no such turn or thread, 69 no codex, 73 cannot write, 75 busy, 124 still running, 130 Ctrl-C."
)
_MOST_COLUMNS = 100
_HELP_ROW = ("-h, --help", "Show this message.")
_GLOBAL_ROWS = (
    ("-V, --version", "Show the version."),
    ("    --install-completion", "Let this shell complete verbs, flags, their values, and turns."),
    ("    --show-completion", "Show what that installs, to put it elsewhere."),
    _HELP_ROW,
)
Rows = Sequence[tuple[str, str]]


def page(words: Sequence[str]) -> str:
    """The help of the program (no words), of a group, or of a verb (one word or two), with the colours of stdout."""
    name = " ".join(words)
    parts = _of_verb(name) if name in VERBS else _of_group(name) if name in GROUPS else _of_program()
    return "\n\n".join(part for part in parts if part)


def _of_program() -> Iterable[str]:
    yield _usage("COMMAND [ARGS]...")
    yield from (wrap(each, _width()) for each in HELP)
    panels: dict[str, dict[str, str]] = {}
    for name, verb in VERBS.items():
        group = name.partition(" ")[0]
        panels.setdefault(verb.panel, {})[group] = GROUPS.get(group, verb.help)
    column = max(len(name) for rows in panels.values() for name in rows)
    for title, rows in panels.items():
        yield _section(title, [(name.ljust(column), text) for name, text in rows.items()])
    yield _section("Options", _GLOBAL_ROWS)
    yield _examples("")
    yield wrap(f"Exit codes: {_EXIT_CODES}", _width())
    yield wrap("codex-server help COMMAND has the options of a command, and examples.", _width())


def _of_group(group: str) -> Iterable[str]:
    yield _usage(f"{group} COMMAND [ARGS]...")
    yield wrap(GROUPS[group], _width())
    verbs = {name.partition(" ")[2]: verb for name, verb in VERBS.items() if name.startswith(f"{group} ")}
    yield _section("Commands", [(name, verb.help) for name, verb in verbs.items()])
    yield _section("Options", [_HELP_ROW])
    yield _examples(group)


def _of_verb(name: str) -> Iterable[str]:
    parameters = VERBS[name].parameters
    arguments = [each for each in parameters if not each.flags]
    flags = [each for each in parameters if each.flags]
    yield _usage(" ".join((name, *map(_argument, arguments), "[OPTIONS]")))
    yield wrap(VERBS[name].help, _width())
    yield _section("Arguments", [(_argument(each), _explanation(each)) for each in arguments])
    yield _section("Options", [*((_flag(each), _explanation(each)) for each in flags), _HELP_ROW])
    yield _examples(name)


def _width() -> int:
    """Columns of the terminal (also of a pager), or of `COLUMNS`; 80 if unknown."""
    columns = 80
    for fd in (2, 0):
        with suppress(OSError):  # it is not a terminal
            columns = os.get_terminal_size(fd).columns
            break
    return min(get_terminal_size((columns, 24)).columns, _MOST_COLUMNS)


def _usage(line: str) -> str:
    return wrap(f"Usage: codex-server {line}", _width())


def _section(title: str, rows: Rows) -> str:
    ink = output.ink()
    return f"{ink(title, Style.BOLD)}\n{definitions(rows, _width(), ink)}" if rows else ""


def _examples(name: str) -> str:
    """The examples, each on its own line, so that it can be copied, with its description above."""
    ink = output.ink()
    lines = [
        f"{ink(wrap(what, _width(), '  # '), Style.DIM)}\n  codex-server {command}"
        for what, command in EXAMPLES.get(name, ())
    ]
    return "\n".join((ink("Examples", Style.BOLD), *lines)) if lines else ""


def _argument(parameter: Parameter) -> str:
    word = parameter.metavar or parameter.name.upper()
    return word if parameter.is_required or word.startswith("[") else f"[{word}]"


def _flag(parameter: Parameter) -> str:
    """The flags of a parameter, the short one first, and its value."""
    flags = sorted(parameter.flags, key=len)
    named = ", ".join(flags) if len(flags[0]) == 2 else "    " + ", ".join(flags)
    return named if parameter.type is bool else f"{named} {parameter.metavar or parameter.name.upper()}"


def _explanation(parameter: Parameter) -> str:
    """The help line of a parameter, its possible values, and its default."""
    parts = [parameter.help or ""]
    if issubclass(parameter.type, StrEnum):
        parts.append(f"One of: {', '.join(parameter.type)}.")
    if parameter.default not in (None, False):
        parts.append(f"(default: {parameter.default})")
    return " ".join(parts)
