"""One turn or thread in words, for a terminal: its facts, and what was said and done. Owns how each entry looks.

Text of a model or a command is made safe here, and obeys the width: none of it can pass for a heading of ours, which
alone begins with a rule.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from codex_server_cli.core.model.turn import parse_time_ms
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.render.escape import neutralise, one_line
from codex_server_cli.render.style.cells import cut, wrap
from codex_server_cli.render.style.facts import Fact, facts_block
from codex_server_cli.render.style.ink import Ink, Style
from codex_server_cli.render.style.when import age, ago
from codex_server_cli.render.turns.states import look, state_words

Entry = tuple[str, str | None, str]
"""Type, time and raw text, as `core.history.entries.ThreadEntry` has them."""

_HEADINGS = {
    "userMessage": ("you", Style.CYAN),
    "agentMessage": ("codex", Style.GREEN),
    "commandExecution": ("command", Style.YELLOW),
    "fileChange": ("files", Style.MAGENTA),
    "mcpToolCall": ("tool", Style.BLUE),
    "webSearch": ("web search", Style.BLUE),
    "plan": ("plan", Style.BLUE),
    "error": ("error", Style.RED),
}
_WIDEST_PROSE = 100
_HEAD_LINES, _TAIL_LINES = 10, 8
_EXIT = re.compile(r"→ (exit 0\b)?.*")
_COUNTS = re.compile(r"( \+\d+)( −\d+)")


def shown_turn(
    view: TurnView,
    header: Sequence[tuple[str, str | None]],
    entries: Sequence[Entry],
    now_ms: int,
    width: int,
    ink: Ink,
) -> str:
    """A turn: its facts, then its last entries.

    Args:
        header: what `notes.turn_header` tells of it.
        now_ms: Unix time, for how long ago things were.
        width: of the terminal, in cells.
    """
    mark, style = look(view)
    values = dict(header) | {"state": f"{mark} {state_words(view)}"}
    styles = {"state": style, "error": Style.RED, "turn": Style.BOLD, "next": Style.BOLD}
    return shown(_with_ages(values, now_ms), styles, entries, now_ms, width, ink)


def shown(
    header: Mapping[str, str | None],
    styles: Mapping[str, Style],
    entries: Sequence[Entry],
    now_ms: int,
    width: int,
    ink: Ink,
) -> str:
    """Facts, then entries.

    Args:
        header: the value of each by its label; None where it is not known. Those of `next` and `continue` are commands,
            which are never broken.
        styles: by label.
    """
    facts = [
        Fact(label, _short(label, value, width), styles.get(label, Style.PLAIN), is_command=label in ("next", "continue"))
        for label, value in header.items()
    ]
    blocks = [_entry(entry, now_ms, width, ink) for entry in entries]
    return "\n".join([facts_block(facts, width, ink), *blocks])


def thread_facts(header: Sequence[tuple[str, str | None]], now_ms: int) -> dict[str, str | None]:
    """The facts of a thread, with how long ago things were."""
    return _with_ages(dict(header), now_ms)


def _with_ages(header: Mapping[str, str | None], now_ms: int) -> dict[str, str | None]:
    return {label: _aged(value, now_ms) if label in ("started", "updated") else value for label, value in header.items()}


def _aged(value: str | None, now_ms: int) -> str | None:
    at_ms = parse_time_ms(value)
    return value if value is None or at_ms is None else f"{ago(at_ms, now_ms)} ({value[:10]} {value[11:16]} UTC)"


def _short(label: str, value: str | None, width: int) -> str | None:
    """A prompt is cut, because it is an entry, too; everything else is told in full."""
    return one_line(value, width * 2) if value and "prompt" in label else value


def _entry(entry: Entry, now_ms: int, width: int, ink: Ink) -> str:
    type_, at, text = entry
    name, style = _HEADINGS.get(type_, (one_line(type_, 40), Style.BLUE))
    when = age(parse_time_ms(at), now_ms)
    lines = _command(text, width, ink) if type_ == "commandExecution" else _prose(type_, text, width, ink)
    heading = cut(f"── {name}", width)
    rest = cut(f" · {when}", width - len(heading)) if when else ""
    return "".join(f"{line}\n" for line in (ink(heading, style) + ink(rest, Style.DIM), *lines))


def _prose(type_: str, text: str, width: int, ink: Ink) -> list[str]:
    lines = wrap(neutralise(text.rstrip("\n")), min(width, _WIDEST_PROSE) if type_ != "fileChange" else width)
    if type_ == "fileChange":
        return [_coloured_counts(line, ink) for line in lines]
    return [ink(line, Style.RED) for line in lines] if type_ == "error" else lines


def _coloured_counts(line: str, ink: Ink) -> str:
    return _COUNTS.sub(lambda found: ink(found[1], Style.GREEN) + ink(found[2], Style.RED), line)


def _command(text: str, width: int, ink: Ink) -> list[str]:
    """What was run, its output, cut in the middle, and how it ended."""
    command, *output = neutralise(text.rstrip("\n")).split("\n")
    ended = _EXIT.fullmatch(output[-1]) if output else None
    end = [ink(line, Style.GREEN if ended[1] else Style.RED) for line in wrap(output.pop(), width)] if ended else []
    command = command if command.startswith("$ ") else f"$ {command}"
    rows = [row for line in output for row in wrap(line, width)]
    return [*(ink(line, Style.BOLD) for line in wrap(command, width)), *_middle_out(rows, ink), *end]


def _middle_out(rows: list[str], ink: Ink) -> list[str]:
    left_out = len(rows) - _HEAD_LINES - _TAIL_LINES
    if left_out <= 1:
        return rows
    note = ink(f"… {left_out} lines left out: --json has them", Style.DIM)
    return [*rows[:_HEAD_LINES], note, *rows[-_TAIL_LINES:]]
