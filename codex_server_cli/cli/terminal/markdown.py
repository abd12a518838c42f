"""Renders a block of a conversation for a terminal: Markdown and colours, as text with only our own escape sequences.

Made for copying: no frames, no trailing blanks, code without a margin and never wrapped by us. The text of models and
commands is neutralised before and after rendering, so that no escape sequence of theirs gets through.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from markdown_it import MarkdownIt
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown, MarkdownElement, TableElement
from rich.segment import Segment, Segments
from rich.style import Style
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

from codex_server_cli.render.approvals import AskedRow
from codex_server_cli.render.chat_blocks import Block, BlockKind
from codex_server_cli.render.escape import neutralise
from codex_server_cli.render.style.cells import barred, broken
from codex_server_cli.render.style.diff import diff_lines
from codex_server_cli.render.style.ink import Ink
from codex_server_cli.render.style.ink import Style as InkStyle
from codex_server_cli.render.turns.asked import asked_lines

CODE_THEME = "ansi_dark"  # the terminal's own colours, and no background
MAX_STYLED_LINES, MAX_STYLED_CHARS = 2000, 50_000
"""A longer block is shown without layout, like those after it in the same call: layout would block the screen."""
_STYLES = {
    BlockKind.EDIT: "yellow",
    BlockKind.THOUGHT: "dim italic",
    BlockKind.PLAN: "blue",
    BlockKind.NOTE: "dim",
    BlockKind.WARNING: "yellow",
    BlockKind.REFUSED: "red",
}
_THEME = Theme({"markdown.code": "cyan", "markdown.code_block": "cyan"})  # rich's defaults have a black background
_GRAMMAR = (
    MarkdownIt()
    .enable(["strikethrough", "table"])
    .disable(["html_block", "html_inline", "autolink", "image", "reference"])  # `List<int>` must stay visible
)
_COLOURED = Ink(is_coloured=True)
_BOLD = re.compile(r"\*\*(.+?)\*\*")


class _Heading(Heading):
    """A left-aligned heading, without a frame."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        text = self.text.copy()
        text.justify = "default"
        text.stylize(Style(bold=True, underline=self.tag == "h1"))
        yield text


class _Code(CodeBlock):
    """Code without margin or background; the terminal wraps long lines, so that a copy is whole."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        code = str(self.text).rstrip()
        syntax = Syntax(code, self.lexer_name, theme=CODE_THEME)
        text = syntax.highlight(code) if syntax.lexer is not None else Text(code, style="cyan")
        text.rstrip()
        text.no_wrap, text.overflow = True, "ignore"
        yield text


class _Table(TableElement):
    """A table without a frame (and its blank line above), with long cells folded instead of cut."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for table in super().__rich_console__(console, options):
            if isinstance(table, Table):
                table.show_edge = False
                for column in table.columns:
                    column.overflow = "fold"
            yield table


class _AnswerMarkdown(Markdown):
    """Markdown that keeps line ends and underscores: `__init__.py` is a name."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": _Heading,
        "fence": _Code,
        "code_block": _Code,
        "table_open": _Table,
    }

    def __init__(self, text: str) -> None:
        super().__init__("", code_theme=CODE_THEME, hyperlinks=False, justify="default")
        self.parsed = _GRAMMAR.parse(text)
        for part in (part for token in self.parsed for part in token.children or ()):
            if part.type == "softbreak":
                part.type = "hardbreak"
            elif part.tag in ("em", "strong") and part.markup.startswith("_"):
                part.type, part.tag, part.content = "text", "", part.markup


_SAID = "› "


class Painter:
    """Renders blocks as terminal output, at the current width.

    Args:
        console: provides the terminal's colours.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._ink = Ink(is_coloured=console.color_system is not None and not console.no_color)
        console.push_theme(_THEME)

    def paint(self, blocks: Iterable[Block], width: int) -> str:
        """Render blocks one below the other, with a blank line before each except a command's output."""
        width = max(width, 10)
        painted: list[str] = []
        room = MAX_STYLED_CHARS
        for block in blocks:
            room -= len(block.text)
            painted.append("" if block.kind is BlockKind.OUTPUT else "\n")
            painted.append(self._paint_block(block, width, is_plain=room < 0 or _has_many_lines(block.text)))
        return "".join(painted)

    def _paint_block(self, block: Block, width: int, *, is_plain: bool) -> str:
        match block.kind:
            case BlockKind.ASKED:
                parts = block.parts or (AskedRow(block.text),)
                rows = asked_lines(parts, width, self._ink, InkStyle.WARNING)
            case BlockKind.SAID:
                first, *others = barred(neutralise(block.text), width, bar="  ")
                rows = [self._ink(row.rstrip(), InkStyle.BOLD) for row in (f"{_SAID}{first[len(_SAID) :]}", *others)]
            case _ if is_plain:
                rows = [neutralise(block.text)]
            case _:
                return self._render(_renderable(block), width)
        return "".join(f"{row}\n" for row in rows)

    def _render(self, renderable: RenderableType, width: int) -> str:
        options = self._console.options.update(width=width, height=None)
        lines = [_trimmed(line) for line in Segment.split_lines(self._console.render(renderable, options))]
        while lines and not lines[-1]:
            lines.pop()
        while lines and not lines[0]:
            lines.pop(0)
        safe = [Segment(neutralise(text), style) for line in lines for text, style, _ in [*line, Segment.line()]]
        with self._console.capture() as captured:
            self._console.print(Segments(safe), end="", soft_wrap=True)
        return captured.get()


def _has_many_lines(text: str) -> bool:
    return text.count("\n") >= MAX_STYLED_LINES


def _trimmed(line: Iterable[Segment]) -> list[Segment]:
    """The line without the trailing blanks that pad columns of tables and lists."""
    segments = [segment for segment in line if not segment.control]
    while segments and not segments[-1].text.rstrip(" "):
        segments.pop()
    if segments:
        last = segments[-1]
        segments[-1] = Segment(last.text.rstrip(" "), last.style)
    return segments


def _renderable(block: Block) -> RenderableType:
    text = neutralise(block.text)
    match block.kind:
        case BlockKind.ANSWER:
            return _AnswerMarkdown(text)
        case BlockKind.EDIT:
            edit = _with_diffs(block, text)
            edit.no_wrap, edit.overflow = True, "ignore"
            return edit
        case BlockKind.COMMAND:
            return Text(text, style="bold cyan", no_wrap=True, overflow="ignore")
        case BlockKind.OUTPUT:
            return _output(text)
        case BlockKind.ERROR:
            first, newline, rest = text.partition("\n")
            return Text(first, style="red").append(newline + rest, "default")
        case BlockKind.THOUGHT:
            return Text(_BOLD.sub(r"\1", text), style=_STYLES[block.kind])
        case _:
            return Text(text, style=_STYLES[block.kind])


def _with_diffs(block: Block, text: str) -> Text:
    """The block's text, its diffs in their colours, and the heads of edits in theirs."""
    style = _STYLES.get(block.kind, "")
    lines = [Text(line, style=style, end="") for line in text.split("\n")]
    for rows in block.diffs:
        patch = "\n".join(line.plain for line in lines[rows.start : rows.stop])
        lines[rows.start : rows.stop] = [Text.from_ansi(line) for line in diff_lines(patch, _COLOURED)]
    return Text("\n", overflow="fold").join(lines)


def _output(text: str) -> Text:
    """A command's output, dim, and its exit: red if it failed."""
    *lines, end = text.split("\n")
    style = "green" if end.startswith("→ exit 0") else "red"
    shown = Text("".join(f"{line}\n" for line in lines), style="dim", no_wrap=True, overflow="ignore")
    return shown.append(end, Style.parse(f"not dim {style}"))


def tail_rows(text: str, width: int, height: int) -> list[str]:
    """The last rows of a raw text at this width: at most `height` of them, neutralised."""
    text = neutralise(text[-8 * width * height :]).expandtabs(4)  # more than fits, even with escapes made visible
    rows: list[str] = []
    for line in reversed(text.split("\n")):
        rows[:0] = broken(line, width - 1)
        if len(rows) >= height:
            return rows[-height:]
    return rows
