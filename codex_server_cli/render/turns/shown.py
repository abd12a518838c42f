"""One turn or thread for a terminal: its facts, messages and actions. Owns how each entry looks.

An edit is shown with the beginning of its patch, as in a chat.

Text of a model or a command is made safe here, and indented, so that it cannot be mistaken for one of our headings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from codex_server_cli.core.history.entries import ThreadEntry
from codex_server_cli.core.model.turn import parse_time_ms
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.protocol.rpc import Message
from codex_server_cli.core.result.commands import of_turn
from codex_server_cli.render.escape import neutralise, one_line
from codex_server_cli.render.notes import turn_header
from codex_server_cli.render.style.cells import barred
from codex_server_cli.render.style.diff import diff_lines
from codex_server_cli.render.style.facts import Fact, facts_block
from codex_server_cli.render.style.ink import Ink, Style
from codex_server_cli.render.style.when import ago
from codex_server_cli.render.style.wrap import Display, joined, wrapped
from codex_server_cli.render.tables import short_path
from codex_server_cli.render.turns.edits import edits_of
from codex_server_cli.render.turns.states import look, state_words

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
"""Lays out raw text of Codex for a width in cells, as safe lines."""


class _Page(NamedTuple):
    """How the entries are laid out.

    Attributes:
        layout: for text of Codex.
        base: the directory that file names are relative to.
        whole_diff: the command that shows truncated patches.
    """

    display: Display
    layout: Layout
    base: str
    whole_diff: str = ""


def shown_turn(
    view: TurnView, prompt: str, short_id: str, entries: Sequence[ThreadEntry], display: Display, layout: Layout
) -> str:
    """A turn: its facts, then its last entries.

    Args:
        prompt: the beginning of its prompt, raw.
        short_id: its id in our commands.
        layout: for text of Codex.
    """
    mark, style = look(view)
    header = dict(turn_header(view._replace(turn_id=short_id), prompt))
    header |= {"turn": view.turn_id, "state": f"{mark} {state_words(view)}"}
    page = _Page(display, layout, header.get("directory") or "", of_turn("diff", short_id))
    return _shown(header, {**_STYLES, "state": style, "thread": Style.PLAIN}, entries, page)


def shown_thread(
    header: Sequence[tuple[str, str | None]], entries: Sequence[ThreadEntry], display: Display, layout: Layout
) -> str:
    """A thread: its facts, then its last entries.

    Args:
        header: label and value of each; unknown ones are omitted.
        layout: for text of Codex.
    """
    facts = dict(header)
    return _shown(facts, _STYLES, entries, _Page(display, layout, facts.get("directory") or ""))


def _shown(
    header: Mapping[str, str | None], styles: Mapping[str, Style], entries: Sequence[ThreadEntry], page: _Page
) -> str:
    facts = [
        Fact(label, _value(label, value, page.display), styles.get(label, Style.PLAIN), is_command=label in _COMMANDS)
        for label, value in header.items()
        if value
    ]
    return "\n".join([facts_block(facts, page.display), *(_entry(entry, page) for entry in entries)])


def _value(label: str, value: str, display: Display) -> str:
    """A value for people: times with their age, the home as `~`, and only the beginning of a prompt, which is also the
    first entry.
    """
    if label in ("started", "updated"):
        at_ms = parse_time_ms(value)
        return value if at_ms is None else f"{ago(at_ms, display.now_ms)}, {value[:10]} {value[11:16]} UTC"
    if label == "directory":
        return short_path(one_line(value, _LONGEST_PATH), display.user_home, _LONGEST_PATH)
    return one_line(value, _LONGEST_PROMPT) if "prompt" in label else value


def _entry(entry: ThreadEntry, page: _Page) -> str:
    display = page.display
    name, style = _HEADINGS.get(entry.type, (one_line(entry.type, 40), Style.BLUE))
    when = ago(parse_time_ms(entry.at), display.now_ms)
    heading = joined([(f"── {name}", style), (when, Style.DIM)], display.width, ink=display.ink, hanging=_INDENT)
    return "".join(f"{line}\n" for line in (*heading, *_body(entry, page)))


def _body(entry: ThreadEntry, page: _Page) -> list[str]:
    """The content of an entry, as safe lines."""
    display, prose = page.display, min(page.display.width, _WIDEST_PROSE)
    if entry.type in _MARKDOWN:
        return [f"{_INDENT}{line}".rstrip() for line in page.layout(entry.text, prose - len(_INDENT))]
    if entry.item is not None:
        return _edits(entry.item, page)
    text = entry.text.rstrip("\n")
    if entry.type == "fileChange":
        told = re.sub(rf"^(± )?{re.escape(page.base)}/", r"\1", text, flags=re.MULTILINE) if page.base else text
        return _edited(told, display)
    safe = neutralise(text)
    if entry.type == "commandExecution":
        return _command(safe, display)
    style = Style.RED if entry.type == "error" else Style.PLAIN
    return [display.ink(line.rstrip(), style) for line in barred(safe, prose, bar=_INDENT)]


def _edits(item: Message, page: _Page) -> list[str]:
    """Each file of an edit, the beginning of its patch, and the command that shows all of it."""
    display, lines = page.display, list[str]()
    for edit in edits_of(item, page.base):
        lines += _edited(edit.head, display)
        rows = diff_lines(edit.patch, display.ink, width=display.width - len(_INDENT))
        lines += [_INDENT + row for row in rows]
        rest = edit.rest(page.whole_diff)
        lines += [display.ink(line, Style.DIM) for line in wrapped(rest, display.width, _INDENT) if rest]
    return lines


def _edited(text: str, display: Display) -> list[str]:
    """The line of a file: its name, raw, and how much changed."""
    lines = barred(neutralise(text), display.width, bar=_INDENT)
    return [_with_counts(line.rstrip(), display.ink) for line in lines]


def _with_counts(line: str, ink: Ink) -> str:
    return _COUNTS.sub(lambda found: ink(found[1], Style.GREEN) + ink(found[2], Style.RED), line)


def _command(text: str, display: Display) -> list[str]:
    """A command, an excerpt of its output, and how it ended."""
    command, *output = text.expandtabs(4).split("\n")
    parts = [(command if command.startswith("$ ") else f"$ {command}", Style.BOLD)]
    ended = _EXIT.fullmatch(output[-1]) if output else None
    end = [(output.pop(), Style.GREEN if ended[1] else Style.RED)] if ended else []
    parts += [(line, Style.DIM if _LEFT_OUT.fullmatch(line) else Style.PLAIN) for line in output]
    return [
        display.ink(row.rstrip(), style)
        for line, style in parts + end
        for row in barred(line, display.width, bar=_INDENT, is_exact=True)
    ]
