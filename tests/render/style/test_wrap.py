"""Lines are broken between words and pieces, by cells; a command stays whole, and nothing is lost."""

from __future__ import annotations

from codex_server_cli.render.style.ink import Ink, Style
from codex_server_cli.render.style.wrap import joined, wrapped


def test_text_is_broken_between_words_and_what_fits_stays_as_it_is() -> None:
    assert wrapped("two  spaces", 11) == ["two  spaces"]
    assert wrapped("cannot use '/a  b': it is gone", 19) == ["cannot use '/a  b':", "it is gone"]
    assert wrapped("one two three", 8, "  ") == ["  one", "  two", "  three"]
    assert wrapped("first\n  a deeper line", 10) == ["first", "  a deeper", "  line"]
    assert wrapped("a\n\nb", 10, "  ") == ["  a", "", "  b"]


def test_a_command_stays_whole_however_long_it_is() -> None:
    assert wrapped("Then: `codex-server wait last`. Or not", 20) == ["Then:", "`codex-server wait last`.", "Or not"]
    assert wrapped("It goes on: codex-server tail last", 20) == ["It goes on:", "codex-server tail last"]
    assert wrapped("codex-server tail shows what it said.", 20) == ["codex-server tail", "shows what it said."]


def test_pieces_stand_on_one_line_as_far_as_they_fit_and_empty_ones_do_not_count() -> None:
    pieces = [("one", Style.PLAIN), ("", Style.RED), ("two", Style.RED), ("three", Style.PLAIN)]
    assert joined(pieces, 20) == ["one · two · three"]
    assert joined(pieces, 10) == ["one · two", "three"]
    assert joined(pieces, 10, hanging="  ") == ["one · two", "  three"]
    assert joined(pieces, 8, "> ") == ["> one", "> two", "> three"]
    assert joined(pieces[2:3], 8, ink=Ink(is_coloured=True)) == ["\x1b[31mtwo\x1b[0m"]
    assert joined([], 8) == []
