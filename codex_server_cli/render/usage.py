"""The usage of turns, for people: a plain table, and one with bars for a terminal. Owns the columns and wording."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from codex_server_cli.core.result.usage_report import UseGroup
from codex_server_cli.render.escape import one_line
from codex_server_cli.render.status_line import short_count
from codex_server_cli.render.style.wrap import wrapped
from codex_server_cli.render.tables import duration, short_path

if TYPE_CHECKING:
    from rich.text import Text

_COLUMNS: Final[dict[str, Callable[[UseGroup], str]]] = {
    "TURNS": lambda group: str(group.n_turns),
    "FAILED": lambda group: str(group.n_failed or ""),
    "INPUT": lambda group: short_count(group.tokens["input_tokens"]),
    "CACHED": lambda group: short_count(group.tokens["cached_input_tokens"]),
    "OUTPUT": lambda group: short_count(group.tokens["output_tokens"]),
    "REASONING": lambda group: short_count(group.tokens["reasoning_output_tokens"]),
    "TOKENS": lambda group: short_count(group.tokens["total_tokens"]),
    "MEDIAN": lambda group: duration(group.median_s),
    "P95": lambda group: duration(group.p95_s),
}
_DISPENSABLE = ("REASONING", "INPUT", "CACHED", "P95", "OUTPUT", "MEDIAN")
"""The columns that a narrow terminal omits, in this order."""

_GAP = "  "
_BAR, _MAX_NAME, _LEAST_NAME = 16, 40, 6
_EIGHTHS = " ▏▎▍▌▋▊▉"


def usage_text(groups: Sequence[UseGroup], total: UseGroup, by: str, user_home: str, width: int) -> str:
    """A plain table: numbers right-aligned, the total last, and below it the turns that did not complete."""
    return "".join(f"{line.rstrip()}\n" for line in _lines(groups, total, by, user_home, width)) + _ends(total)


def usage_view(groups: Sequence[UseGroup], total: UseGroup, by: str, user_home: str, width: int) -> Text:
    """The same for a terminal, with a bar for the tokens of each group if there is room."""
    from rich.text import Text

    head, *lines, last = _lines(groups, total, by, user_home, width, cuts_names=True)
    has_bars = len(head) + len(_GAP) + _BAR <= width
    most = max(group.tokens["total_tokens"] for group in groups)
    view = Text().append(f"{head}\n", "bold")
    for line, group in zip(lines, groups, strict=True):
        view.append(line, "")
        if has_bars:
            view.append(f"{_GAP}{bar(group.tokens['total_tokens'], most)}", "cyan")
        view.append("\n")
    view.append(f"{last}\n", "bold")
    ends = "\n".join(wrapped(_ends(total), width))
    return view.append(ends, "red" if total.n_failed else "dim")


def bar(value: int, most: int) -> str:
    """A bar whose length is a value's share of the greatest one; any value above zero is visible."""
    eighths = max(round(value / most * _BAR * 8), 1) if value > 0 else 0
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (_EIGHTHS[rest] if rest else "")


def _lines(
    groups: Sequence[UseGroup], total: UseGroup, by: str, user_home: str, width: int, *, cuts_names: bool = False
) -> list[str]:
    """The heading, the groups and their total, all of one width: at most `width`, unless the indispensable columns are
    wider and names must not be cut."""
    names = [by.upper(), *(_name_of(group, by, user_home) for group in groups), "total"]
    columns = [names] + [[heading, *map(cell, groups), cell(total)] for heading, cell in _COLUMNS.items()]
    left_out = set[str]()
    for heading in ("", *_DISPENSABLE):
        left_out.add(heading)
        shown = [column for column in columns if column[0] not in left_out]
        widths = [max(map(len, column)) for column in shown]
        if sum(widths) + len(_GAP) * (len(widths) - 1) <= width:
            break
    over = sum(widths) + len(_GAP) * (len(widths) - 1) - width
    if cuts_names and over > 0:
        widths[0] = max(widths[0] - over, _LEAST_NAME)
        shown[0] = [_cut(name, widths[0], is_path=by == "cwd") for name in names]
    rows = zip(*shown, strict=True)
    return [_GAP.join([name.ljust(widths[0]), *map(str.rjust, cells, widths[1:])]) for name, *cells in rows]


def _cut(name: str, width: int, *, is_path: bool) -> str:
    """A name cut to so many characters; a directory keeps its end, the informative part."""
    return f"…{name[1 - width :]}" if is_path and len(name) > width else one_line(name, width)


def _name_of(group: UseGroup, by: str, user_home: str) -> str:
    name = group.group or "unknown"
    return one_line(short_path(name, user_home) if by == "cwd" else name, _MAX_NAME)


def _ends(total: UseGroup) -> str:
    """How many turns did not complete; failed ones by the kind of their error."""
    failed = [f"{number} {one_line(kind, _MAX_NAME)}" for kind, number in total.failures.items()]
    parts = [f"failed: {', '.join(failed)}"] if failed else []
    parts += [f"cancelled: {total.n_cancelled}"] if total.n_cancelled else []
    parts += [f"running: {total.n_running}"] if total.n_running else []
    return f"{'; '.join(parts)}\n" if parts else ""
