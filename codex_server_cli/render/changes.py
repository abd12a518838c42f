"""What a turn changed, for people, like `git diff --stat`. Owns widths and wording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from codex_server_cli.core.model.unified_diff import quoted
from codex_server_cli.core.record.changes import ChangesOf
from codex_server_cli.render.escape import neutralise
from codex_server_cli.render.style.ink import PLAIN, Ink, Style
from codex_server_cli.render.style.wrap import wrapped

_MOST_NAME_CHARS = 50
_MOST_CHARS = 80

Entry = Mapping[str, Any]


def stat_text(entries: Sequence[Entry]) -> str:
    """A line for each file with a bar of what was added and removed, and one for all; raw."""
    return _stat(entries, [_label(entry) for entry in entries], PLAIN, _MOST_CHARS)


def shown_stat(entries: Sequence[Entry], ink: Ink, width: int) -> str:
    """The same for a terminal: safe, with bars in colour, and not wider than the terminal.

    Args:
        width: of the terminal, in characters.
    """
    width = min(width, _MOST_CHARS)
    labels = [_cut(neutralise(_label(entry)), width // 2) for entry in entries]
    rows, line_end, total = _stat(entries, labels, ink, width).removesuffix("\n").rpartition("\n")
    return rows + line_end + "".join(f"{row}\n" for row in wrapped(total, width) if total)


def _stat(entries: Sequence[Entry], labels: list[str], ink: Ink, width: int) -> str:
    if not entries:
        return ""
    size = max(map(len, labels))
    most = max(_lines_of(entry) for entry in entries)
    digits = max(len(str(most)), 3 if any(entry.get("binary") for entry in entries) else 1)
    room = max(width - size - digits - 6, 2)  # both parts of a bar are rounded up
    scale = min(1.0, room / most) if most else 1.0
    rows = [
        f" {label:<{size}} | {_bar(entry, digits, scale, ink)}\n" for label, entry in zip(labels, entries, strict=True)
    ]
    return "".join(rows) + _total(entries)


def name_lines(entries: Sequence[Entry]) -> str:
    """The names, one per line; one with control characters is quoted, as in git."""
    return "".join(f"{quoted(entry['path'])}\n" for entry in entries)


def doubt_note(changes_of: str | None, *, is_running: bool) -> str:
    """What is unknown about a turn's changes, in one line; empty if nothing is."""
    if changes_of == ChangesOf.PATCHES:
        return "only Codex's own patches are known, not what commands wrote" + (" so far" if is_running else "")
    return ""


def _label(entry: Entry) -> str:
    name = quoted(entry["path"])
    if entry.get("from"):
        name = f"{quoted(entry['from'])} => {name}"
    return _cut(name, _MOST_NAME_CHARS)


def _cut(name: str, most_chars: int) -> str:
    """The end of a name that is too long."""
    return name if len(name) <= most_chars else "..." + name[3 - most_chars :]


def _lines_of(entry: Entry) -> int:
    return (entry.get("added") or 0) + (entry.get("removed") or 0)


def _bar(entry: Entry, digits: int, scale: float, ink: Ink) -> str:
    by = "  (by a command)" if entry.get("by") == "command" else ""
    if entry.get("binary"):
        return f"{'Bin':>{digits}}{by}"
    plus, minus = (ceil((entry.get(count) or 0) * scale) for count in ("added", "removed"))
    bar = ink("+" * plus, Style.GREEN) + ink("-" * minus, Style.RED)
    return f"{_lines_of(entry):>{digits}} {bar}".rstrip() + by


def _total(entries: Sequence[Entry]) -> str:
    added, removed = (sum(entry.get(count) or 0 for entry in entries) for count in ("added", "removed"))
    parts = [f"{len(entries)} file{_plural(len(entries))} changed"]
    if added or not removed:
        parts.append(f"{added} insertion{_plural(added)}(+)")
    if removed or not added:
        parts.append(f"{removed} deletion{_plural(removed)}(-)")
    return f" {', '.join(parts)}\n"


def _plural(count: int) -> str:
    return "" if count == 1 else "s"
