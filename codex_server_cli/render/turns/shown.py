"""One turn or thread in words, for a terminal: its facts, and what was said and done. Owns how each entry looks.

Text of a model or a command is made safe here, and indented: it cannot pass for a heading of ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from codex_server_cli.core.model.turn import parse_time_ms
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.render.escape import neutralise, one_line
from codex_server_cli.render.notes import turn_header
from codex_server_cli.render.style.cells import barred
from codex_server_cli.render.style.facts import Fact, facts_block
from codex_server_cli.render.style.ink import Ink, Style
from codex_server_cli.render.style.when import ago
from codex_server_cli.render.style.wrap import Display, joined
from codex_server_cli.render.tables import short_path
from codex_server_cli.render.turns.states import look, state_words

Entry = tuple[str, str | None, str]
"""Type, time and raw text, as `core.history.entries.ThreadEntry` has them."""

_HEADINGS = {
    "userMessage": ("you", Style.CYAN),
    "agentMessage": ("codex", Style.GREEN),
    "commandExecution": ("command", Style.BLUE),
    "fileChange": ("files", Style.MAGENTA),
    "mcpToolCall": ("tool", Style.BLUE),
    "webSearch": ("web search", Style.BLUE),
    "plan": ("plan", Style.BLUE),
    "error": ("error", Style.RED),
}
_WIDEST_PROSE = 100
_INDENT = "  "
_EXIT = re.compile(r"→ (exit 0\b)?.*")
_LEFT_OUT = re.compile(r"… \d+ more (lines|characters) …")
_COUNTS = re.compile(r"( \+\d+)( −\d+)")
_STYLES = {"error": Style.RED, "turn": Style.BOLD, "thread": Style.BOLD, "next": Style.BOLD, "continue": Style.BOLD}
_MARKDOWN = ("agentMessage", "plan")
_COMMANDS = ("next", "continue")
_LONGEST_PATH, _LONGEST_PROMPT = 4096, 200


Layout = Callable[[str, int], list[str]]
"""Lays out a raw text of Codex for so many cells, as safe lines."""


def shown_turn(
    view: TurnView, prompt: str, short_id: str, entries: Sequence[Entry], display: Display, layout: Layout
) -> str:
    """A turn: its facts, then its last entries.

    Args:
        prompt: the beginning of what it was asked, raw.
        short_id: what the command to run next calls it.
        layout: of what Codex said.
    """
    mark, style = look(view)
    header = dict(turn_header(view._replace(turn_id=short_id), prompt))
    header |= {"turn": view.turn_id, "state": f"{mark} {state_words(view)}"}
    return _shown(header, {**_STYLES, "state": style, "thread": Style.PLAIN}, entries, display, layout)


def shown_thread(
    header: Sequence[tuple[str, str | None]], entries: Sequence[Entry], display: Display, layout: Layout
) -> str:
    """A thread: its facts, then its last entries.

    Args:
        header: label and value of each; what is not known is left out.
        layout: of what Codex said.
    """
    return _shown(dict(header), _STYLES, entries, display, layout)


def _shown(
    header: Mapping[str, str | None],
    styles: Mapping[str, Style],
    entries: Sequence[Entry],
    display: Display,
    layout: Layout,
) -> str:
    facts = [
        Fact(label, _value(label, value, display), styles.get(label, Style.PLAIN), is_command=label in _COMMANDS)
        for label, value in header.items()
        if value
    ]
    base = header.get("directory") or ""
    return "\n".join([facts_block(facts, display), *(_entry(entry, base, display, layout) for entry in entries)])


def _value(label: str, value: str, display: Display) -> str:
    """A value as people read it: times with their age, the home as `~`, and only the beginning of a prompt, which is
    the first entry, too.
    """
    if label in ("started", "updated"):
        at_ms = parse_time_ms(value)
        return value if at_ms is None else f"{ago(at_ms, display.now_ms)}, {value[:10]} {value[11:16]} UTC"
    if label == "directory":
        return short_path(one_line(value, _LONGEST_PATH), display.user_home, _LONGEST_PATH)
    return one_line(value, _LONGEST_PROMPT) if "prompt" in label else value


def _entry(entry: Entry, base: str, display: Display, layout: Layout) -> str:
    type_, at, text = entry
    name, style = _HEADINGS.get(type_, (one_line(type_, 40), Style.BLUE))
    when = ago(parse_time_ms(at), display.now_ms)
    heading = joined([(f"── {name}", style), (when, Style.DIM)], display.width, ink=display.ink, hanging=_INDENT)
    if type_ in _MARKDOWN:
        told = layout(text, min(display.width, _WIDEST_PROSE) - len(_INDENT))
        return "".join(f"{line}\n" for line in (*heading, *(f"{_INDENT}{line}".rstrip() for line in told)))
    if type_ == "fileChange" and base:
        text = re.sub(rf"^(± )?{re.escape(base)}/", r"\1", text, flags=re.MULTILINE)
    ink, safe = display.ink, neutralise(text.rstrip("\n"))
    lines = _command(safe, display) if type_ == "commandExecution" else _told(type_, safe, display)
    return "".join(f"{line}\n" for line in (*heading, *(ink(line, look_) for line, look_ in lines)))


def _told(type_: str, text: str, display: Display) -> list[tuple[str, Style]]:
    width = display.width if type_ == "fileChange" else min(display.width, _WIDEST_PROSE)
    lines = [line.rstrip() for line in barred(text, width, bar=_INDENT)]
    if type_ == "fileChange":
        return [(_with_counts(line, display.ink), Style.PLAIN) for line in lines]
    return [(line, Style.RED if type_ == "error" else Style.PLAIN) for line in lines]


def _with_counts(line: str, ink: Ink) -> str:
    return _COUNTS.sub(lambda found: ink(found[1], Style.GREEN) + ink(found[2], Style.RED), line)


def _command(text: str, display: Display) -> list[tuple[str, Style]]:
    """What was run, an excerpt of its output, and how it ended."""
    command, *output = text.expandtabs(4).split("\n")
    parts = [(command if command.startswith("$ ") else f"$ {command}", Style.BOLD)]
    ended = _EXIT.fullmatch(output[-1]) if output else None
    end = [(output.pop(), Style.GREEN if ended[1] else Style.RED)] if ended else []
    parts += [(line, Style.DIM if _LEFT_OUT.fullmatch(line) else Style.PLAIN) for line in output]
    return [
        (row.rstrip(), style)
        for line, style in parts + end
        for row in barred(line, display.width, bar=_INDENT, is_exact=True)
    ]
