"""The table that the benchmarks print, and its place in the README. Owns the format of numbers.

Pure, except that it reads facts about the machine. Must never measure anything, or name the host.
"""

from __future__ import annotations

import platform
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
_HEADINGS = ("what", "measured", "reference", "ratio", "budget", "ok")
_DIGITS = {"ms": 0, "s": 2, "MB": 1, "KB": 0, "%": 2, "characters": 0, "answers": 0}


@dataclass(frozen=True, slots=True)
class Amount:
    """A measured number in its unit (`ms`, `s`, `MB`, `KB`, `%`, `characters`, `answers`).

    `best` is the minimum of several, where `value` is a median. `of` names what was measured, for a reference.
    """

    value: float
    unit: str
    best: float | None = None
    of: str = ""

    def __str__(self) -> str:
        best = "" if self.best is None else f" (min {self._number(self.best)})"
        name = f"{self.of}: " if self.of else ""
        return f"{name}{self._number(self.value)} {self.unit}{best}"

    def _number(self, value: float) -> str:
        return f"{value:.{_DIGITS[self.unit]}f}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. Its budget is `max_ratio` to the reference, or else `max_value` in the unit measured; a
    row with neither is only for comparison with another row.
    """

    what: str
    measured: Amount
    reference: Amount | None = None
    max_ratio: float | None = None
    max_value: float | None = None

    @property
    def ratio(self) -> float | None:
        """Measured over reference."""
        return None if self.reference is None else self.measured.value / self.reference.value

    @property
    def is_ok(self) -> bool:
        """Whether the budget is kept."""
        if self.max_ratio is not None:
            return self.ratio is not None and self.ratio <= self.max_ratio
        return self.max_value is None or self.measured.value <= self.max_value

    @property
    def cells(self) -> tuple[str, ...]:
        """The line, cell by cell."""
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        reference = "" if self.reference is None else str(self.reference)
        if self.max_ratio is not None:
            budget = f"≤ {self.max_ratio} ×"
        elif self.max_value is not None:
            budget = f"≤ {self.max_value:g} {self.measured.unit}"
        else:
            return (self.what, str(self.measured), reference, ratio, "", "")
        return (self.what, str(self.measured), reference, ratio, budget, "yes" if self.is_ok else "**no**")


def markdown(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [_HEADINGS, ("---",) * len(_HEADINGS), *(row.cells for row in rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def machine(versions: str) -> str:
    """One sentence: when and on what this was measured. `versions` names the programs."""
    memory_gb = psutil.virtual_memory().total / 1e9
    return (
        f"Measured on {time.strftime('%Y-%m-%d', time.gmtime())} with {versions}, on {platform.system()}, "
        f"{psutil.cpu_count()} cores of {_cpu_model()}, {memory_gb:.0f} GB of memory.\n"
    )


def _cpu_model() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found.group(1) if found else platform.machine()


def replace_between_marks(readme: str, report: str) -> str:
    """The README's text with the report between its two marks.

    Raises:
        ValueError: it has no such marks.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the README has no {BEGIN} … {END}")
    return f"{before}{begin}\n{report}{end}{after}"
