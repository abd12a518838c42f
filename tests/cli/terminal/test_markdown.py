"""How a chat looks: Markdown rendered, nothing that hinders a copy, no escapes but our own."""

from __future__ import annotations

import re
import time

import pytest
from rich.console import Console

from codex_server_cli.cli.terminal.markdown import MAX_STYLED_LINES, Painter, tail_rows
from codex_server_cli.render.chat_blocks import Block, BlockKind, asked_block
from tests.cli.test_terminal import EVIL
from tests.render.test_escape import is_dangerous

STYLE = re.compile(r"\x1b\[[0-9;]*m")
LONG_CODE = "x = " + "1 + " * 40 + "1"


def paint(*blocks: Block, width: int = 60, has_colours: bool = True) -> str:
    system = "standard" if has_colours else None
    console = Console(force_terminal=True, color_system=system, highlight=False, markup=False, emoji=False)  # type: ignore[arg-type]
    return Painter(console).paint(blocks, width)


def plain(kind: BlockKind, text: str, width: int = 60) -> list[str]:
    """The lines of one block without their styles, less the blank one before it."""
    first, *lines = STYLE.sub("", paint(Block(kind, text), width=width)).split("\n")
    assert (first, lines.pop()) == ("", "")
    return lines


# --- Markdown


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("# Title", ["Title"]),
        ("### Small *title*", ["Small title"]),
        ("**bold** and `code`", ["bold and code"]),
        ("[a link](https://a.example)", ["a link (https://a.example)"]),
        ("- one\n- two\n  1. inner", [" • one", " • two", "    1 inner"]),
        ("> said\n> so", ["▌ said", "▌ so"]),
        ("one\ntwo", ["one", "two"]),
        ("| a | b |\n|---|---|\n| 1 | 2 |", ["a  b", "────", "1  2"]),
        ("```python\ndef f():\n    return 1\n\n\n```", ["def f():", "    return 1"]),
        ("    indented code", ["indented code"]),
        ("```nonsense-language\ntext\n```", ["text"]),
        ("a\n\n---", ["a", "", "-" * 60]),
        ("&#x202e;", ["\\u202e"]),
    ],
)
def test_an_answer_is_rendered_markdown_without_blanks_at_the_end_of_its_lines(text: str, lines: list[str]) -> None:
    assert plain(BlockKind.ANSWER, text) == lines


@pytest.mark.parametrize(
    "text",
    [
        "std::vector<int> and List<String>",
        "std::vector<std::string>",
        "<div>\nrm -rf important\n</div>",
        "<!-- hidden -->",
        "[ref]: http://x",
        "see [the text][ref]",
        "__init__.py and __main__",
        "_a_ and __b__ c",
    ],
)
def test_what_looks_like_html_or_a_definition_or_a_dunder_is_shown_as_it_was_written(text: str) -> None:
    assert "\n".join(plain(BlockKind.ANSWER, text)) == text


def test_an_image_keeps_its_address() -> None:
    assert plain(BlockKind.ANSWER, "![alt](https://a.example/i.png)") == ["!alt (https://a.example/i.png)"]


def test_a_long_cell_of_a_table_is_folded_and_not_cut() -> None:
    lines = plain(BlockKind.ANSWER, f"| a | b |\n|---|---|\n| {'x' * 200} | {'y' * 90} |")
    assert "".join(lines).count("x") == 200
    assert "".join(lines).count("y") == 90
    assert max(len(line) for line in lines) <= 60


def test_a_paragraph_is_wrapped_between_words_and_code_is_left_whole_for_a_copy() -> None:
    assert plain(BlockKind.ANSWER, "word " * 10, width=20) == [
        "word word word word",
        "word word word word",
        "word word",
    ]
    assert plain(BlockKind.ANSWER, f"```python\n{LONG_CODE}\n```", width=20) == [LONG_CODE]
    assert plain(BlockKind.COMMAND, f"$ {LONG_CODE}", width=20) == [f"$ {LONG_CODE}"]


# --- other blocks


@pytest.mark.parametrize(
    ("kind", "text", "lines"),
    [
        (BlockKind.SAID, "one\ntwo", ["› one", "  two"]),
        (BlockKind.COMMAND, "$ cat <<E\n  more\nout\n→ exit 0", ["$ cat <<E", "  more", "out", "→ exit 0"]),
        (BlockKind.THOUGHT, "· **Looking** around", ["· Looking around"]),
        (BlockKind.ASKED, "may I?\n" + "x" * 70, ["│ may I?", "│ " + "x" * 58, "│ " + "x" * 12]),
        (BlockKind.ERROR, "✗ auth: no\nLog in.", ["✗ auth: no", "Log in."]),
        (BlockKind.EDIT, "± /a +1 −1", ["± /a +1 −1"]),
    ],
)
def test_every_kind_of_block_has_its_look(kind: BlockKind, text: str, lines: list[str]) -> None:
    assert plain(kind, text) == lines


@pytest.mark.parametrize("kind", [kind for kind in BlockKind if kind not in (BlockKind.SAID, BlockKind.ASKED)])
def test_a_block_of_very_many_lines_is_shown_as_it_is_and_made_safe(kind: BlockKind) -> None:
    text = "a **line** \n" * MAX_STYLED_LINES
    assert paint(Block(kind, f"{text}\x1b[2J")).lstrip("\n") == f"{text}␛[2J\n"


def test_no_blank_of_a_command_is_lost_where_a_row_ends() -> None:
    copy = 'cp -r "/srv/data  old/a"   "/srv/data  new/b"  && echo   "done  it"'
    block = asked_block({"kind": "command", "answer_with": "approve", "command": copy, "cwd": "/p"})
    assert block is not None
    for width in range(20, 60):
        rows = STYLE.sub("", paint(block, width=width)).strip("\n").split("\n")
        # A blank at the end of a row is seen by the cell that it takes.
        told = "".join(f"{row.removeprefix('│ '):<{width - 2}}" for row in rows)
        assert f"$ {copy}" in told


@pytest.mark.parametrize("kind", [BlockKind.ANSWER, BlockKind.SAID, BlockKind.OUTPUT, BlockKind.EDIT, BlockKind.NOTE])
def test_a_paragraph_of_a_megabyte_does_not_block_the_screen(kind: BlockKind) -> None:
    text = "word and more " * 100_000
    began_s = time.process_time()
    shown = STYLE.sub("", paint(Block(kind, text.strip())))
    assert " ".join(shown.replace("› ", "").split()) == text.strip()
    assert time.process_time() - began_s < 1.5  # it took 4 s to be laid out


def test_of_many_blocks_that_come_at_once_the_last_are_shown_as_they_are() -> None:
    block = Block(BlockKind.ANSWER, f"**bold** {'x ' * 500}")
    shown = paint(*[block] * 100).split("\n\n")
    assert "**bold**" not in STYLE.sub("", shown[0])
    assert shown[-1].startswith("**bold** x x")
    assert len(shown) == 100


def test_a_request_of_very_many_lines_stays_behind_its_bar() -> None:
    lines = plain(BlockKind.ASKED, "x\n" * MAX_STYLED_LINES + "x")
    assert set(lines) == {"│ x"}


def test_blocks_stand_apart_but_for_the_output_of_a_command() -> None:
    blocks = [Block(BlockKind.COMMAND, "$ ls"), Block(BlockKind.OUTPUT, "a\n→ exit 2"), Block(BlockKind.NOTE, "so")]
    assert STYLE.sub("", paint(*blocks)) == "\n$ ls\na\n→ exit 2\n\nso\n"


def test_how_a_command_ended_is_told_by_its_colour() -> None:
    assert "\x1b[32m→ exit 0 · 0.1 s" in paint(Block(BlockKind.OUTPUT, "→ exit 0 · 0.1 s"))
    assert "\x1b[31m→ exit 1" in paint(Block(BlockKind.OUTPUT, "out\n→ exit 1"))
    assert "\x1b[31m→ declined" in paint(Block(BlockKind.OUTPUT, "→ declined"))


def test_a_terminal_without_colours_gets_none() -> None:
    text = paint(*(Block(kind, "words\n→ exit 0") for kind in BlockKind), has_colours=False)
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", text)


@pytest.mark.parametrize("kind", BlockKind)
def test_no_escape_gets_through_but_ours(kind: BlockKind) -> None:
    for text in (EVIL, f"```\n{EVIL}\n```", f"| a |\n|---|\n| {EVIL} |", f"[x]({EVIL})", f"# {EVIL}", f"- {EVIL}"):
        shown = STYLE.sub("", paint(Block(kind, text)))
        assert [char for char in shown if is_dangerous(char)] == []


# --- blocks that still grow


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", [""]),
        ("one\ntwo", ["one", "two"]),
        ("a few more words", ["a few more", "words"]),
        ("  indented", ["  indented"]),
        ("x" * 25, ["x" * 10, "x" * 10, "x" * 5]),
        ("words " + "x" * 12, ["words", "x" * 10, "xx"]),
        ("宽字宽字宽字", ["宽字宽字宽", "字"]),
        ("a\x1bb", ["a␛b"]),
        ("1\n2\n3\n4\n5", ["3", "4", "5"]),
        ("no " * 100 + "end", ["no no no", "no no no", "end"]),
    ],
)
def test_the_last_rows_of_a_text_fit_the_terminal(text: str, rows: list[str]) -> None:
    assert tail_rows(text, 11, 3) == rows
