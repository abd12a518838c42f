"""What a turn changed, for people: as `git diff --stat` tells it. Owns widths and wording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from codex_server_cli.core.model.unified_diff import quoted
from codex_server_cli.core.record.changes import ChangesOf

_MOST_NAME_CHARS = 50
_MOST_CHARS = 80

Entry = Mapping[str, Any]


def stat_text(entries: Sequence[Entry]) -> str:
    """A line for each file with a bar of what was added and removed, and one for all."""
    if not entries:
        return ""
    labels = [_label(entry) for entry in entries]
    width = max(map(len, labels))
    most = max(_lines_of(entry) for entry in entries)
    digits = max(len(str(most)), 3 if any(entry.get("binary") for entry in entries) else 1)
    room = _MOST_CHARS - width - digits - 6  # both parts of a bar are rounded up
    scale = min(1.0, room / most) if most else 1.0
    rows = [f" {label:<{width}} | {_bar(entry, digits, scale)}\n" for label, entry in zip(labels, entries, strict=True)]
    return "".join(rows) + _total(entries)


def name_lines(entries: Sequence[Entry]) -> str:
    """The names, one a line; one with control characters is quoted, as git does it."""
    return "".join(f"{quoted(entry['path'])}\n" for entry in entries)


def doubt_note(changes_of: str | None, *, is_running: bool) -> str:
    """What is not known of a turn's changes, in one line; empty where all is."""
    if changes_of == ChangesOf.PATCHES:
        return "only Codex's own patches are known, not what commands wrote" + (" so far" if is_running else "")
    return ""


def _label(entry: Entry) -> str:
    name = quoted(entry["path"])
    if entry.get("from"):
        name = f"{quoted(entry['from'])} => {name}"
    return name if len(name) <= _MOST_NAME_CHARS else "..." + name[3 - _MOST_NAME_CHARS :]


def _lines_of(entry: Entry) -> int:
    return (entry.get("added") or 0) + (entry.get("removed") or 0)


def _bar(entry: Entry, digits: int, scale: float) -> str:
    by = "  (by a command)" if entry.get("by") == "command" else ""
    if entry.get("binary"):
        return f"{'Bin':>{digits}}{by}"
    plus, minus = (ceil((entry.get(count) or 0) * scale) for count in ("added", "removed"))
    return f"{_lines_of(entry):>{digits}} {'+' * plus}{'-' * minus}".rstrip() + by


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
