"""Lines are broken between words and pieces, by cells; a command stays whole, and nothing is lost."""

from __future__ import annotations

import shlex

from codex_server_cli.render.style.ink import Ink, Style
from codex_server_cli.render.style.wrap import Display, arrowed, command_rows, joined, wrapped


def test_text_is_broken_between_words_and_what_fits_stays_as_it_is() -> None:
    assert wrapped("two  spaces", 11) == ["two  spaces"]
    assert wrapped("cannot use '/a  b': it is gone", 19) == ["cannot use '/a  b':", "it is gone"]
    assert wrapped("one two three", 8, "  ") == ["  one", "  two", "  three"]
    assert wrapped("first\n  a deeper line", 10) == ["first", "  a deeper", "  line"]
    assert wrapped("a\n\nb", 10, "  ") == ["  a", "", "  b"]


def test_a_command_that_fits_on_a_line_stays_whole() -> None:
    assert wrapped("Then: `codex-server wait last`. Or not", 25) == ["Then:", "`codex-server wait last`.", "Or not"]
    assert wrapped("It goes on: codex-server tail last", 22) == ["It goes on:", "codex-server tail last"]
    assert wrapped("codex-server tail shows what it said.", 20) == ["codex-server tail", "shows what it said."]
    assert wrapped("Or codex-server tail, then codex-server server logs -f.", 25) == [
        "Or codex-server tail,",
        "then",
        "codex-server server logs",
        "-f.",
    ]
    assert wrapped("It was: codex-server status 20261120-165501-482-7f3a tells how.", 44) == [
        "It was:",
        "codex-server status 20261120-165501-482-7f3a",
        "tells how.",
    ]


def test_a_longer_command_is_broken_at_blanks_as_a_shell_reads_it() -> None:
    command = "codex-server new --cwd '/srv/my own'  --name \"a b\" --file /a/very/long/path/to/prompt.txt"
    rows = wrapped(f"Then: `{command}`. Or not", 30, "  ")
    assert rows == [
        "  Then:",
        "  `codex-server new --cwd \\",
        "  '/srv/my own'  --name \\",
        '  "a b" --file \\',
        "  /a/very/long/path/to/prompt.txt`.",  # the terminal's to break
        "  Or not",
    ]
    copied = "\n".join(rows[1:5]).strip(" `.")
    assert shlex.split(copied.replace("\\\n", "")) == shlex.split(command)
    assert wrapped("codex-server tail 'a", 18) == ["codex-server \\", "tail 'a"]  # no command, and nothing is lost
    assert command_rows("codex-server tail 7f3a", 22) == ["codex-server tail 7f3a"]
    assert command_rows("codex-server tail 7f3a", 21) == ["codex-server tail \\", "7f3a"]
    assert command_rows("x\\ y z'w", 5) == ["x\\ y \\", "z'w"]


def test_a_command_behind_an_arrow_hangs_below_itself() -> None:
    ink = Ink(is_coloured=True)
    assert arrowed("codex-server tail 7f3a", Display(23)) == ["  → codex-server tail \\", "    7f3a"]
    assert arrowed("codex-server x", Display(23, ink)) == ["  → \x1b[1mcodex-server x\x1b[0m"]
    assert arrowed("", Display(23)) == []


def test_pieces_stand_on_one_line_as_far_as_they_fit_and_empty_ones_do_not_count() -> None:
    pieces = [("one", Style.PLAIN), ("", Style.RED), ("two", Style.RED), ("three", Style.PLAIN)]
    assert joined(pieces, 20) == ["one · two · three"]
    assert joined(pieces, 10) == ["one · two", "three"]
    assert joined(pieces, 10, hanging="  ") == ["one · two", "  three"]
    assert joined(pieces, 8, "> ") == ["> one", "> two", "> three"]
    assert joined(pieces[2:3], 8, ink=Ink(is_coloured=True)) == ["\x1b[31mtwo\x1b[0m"]
    assert joined([], 8) == []
