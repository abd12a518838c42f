"""What a terminal gets: every control character made visible, whichever model or command printed it."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from codex_server_cli.render.escape import neutralise, one_line
from tests.kit.cases import for_each

BIDIRECTIONAL = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}
MARKS = {"\u200e", "\u200f", "\u061c"}
JOINERS = {"\u200c", "\u200d"}
# Format characters that do show, or that a text is written with: Arabic, Syriac, Kaithi, hieroglyphs, shorthand, music.
_SHOWN = [(0xAD, 0xAD), (0x600, 0x605), (0x6DD, 0x6DD), (0x70F, 0x70F), (0x890, 0x891), (0x8E2, 0x8E2)]
_SHOWN += [(0x110BD, 0x110BD), (0x110CD, 0x110CD), (0x13430, 0x1345F), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A)]
SHOWN_FORMATS = {chr(code) for first, last in _SHOWN for code in range(first, last + 1)} | JOINERS
texts = st.text(st.characters(codec=None, exclude_categories=()))
controls = st.text(
    st.sampled_from([chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))] + [*MARKS, "\u202e", "a"])
)


def is_dangerous(char: str) -> bool:
    """Whether a terminal may do more with a character than show it."""
    if char in "\n\t":
        return False
    category = unicodedata.category(char)
    is_control = category in ("Cc", "Zl", "Zp") or (category == "Cf" and char not in SHOWN_FORMATS)
    return is_control or unicodedata.bidirectional(char) in BIDIRECTIONAL or char in MARKS


@for_each(
    ("raw", "shown"),
    [
        ("\x1b[2J\x1b[31mred", "␛[2J␛[31mred"),
        ("\x1b]8;;https://evil.example\x07here\x1b]8;;\x07", "␛]8;;https://evil.example␇here␛]8;;␇"),
        ("\x1b]52;c;cm0gLXJmIH4=\x07", "␛]52;c;cm0gLXJmIH4=␇"),
        ("rm -rf /\rls       ", "rm -rf /␍ls       "),
        ("abc\b\b\bxyz", "abc␈␈␈xyz"),
        ("\x9b31m \x90", "\\u009b31m \\u0090"),
        ("\x00\x7f", "␀␡"),
        ("access\u202e\u2066txt.exe", "access\\u202e\\u2066txt.exe"),
        ("one\u2028two\u2029", "one\\u2028two\\u2029"),
        ("rm\u200b -rf\u2060\ufeff", "rm\\u200b -rf\\u2060\\ufeff"),
        ("hi\U000e0072\U000e006d", "hi\\U000e0072\\U000e006d"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_instead(raw: str, shown: str) -> None:
    assert neutralise(raw) == shown


@for_each("text", ["", "plain\n\ttext\n", "naïve 🦀 文字 \u200d👩‍👩‍👧", "→ exit 0 · 1.2 s", "‘quoted’"])
def test_text_for_people_stays_as_it_is(text: str) -> None:
    assert neutralise(text) == text


# What people write: many scripts, combining marks, emoji that are joined, coloured or varied.
_ORDINARY = [
    "naïve",
    "e\u0301",
    "文字",
    "漢字かな",
    "한국어",
    "عربى",
    "עברית",
    "می\u200cخواهم",
    "ไทย",
    "👩\u200d👩\u200d👧",
    "👍🏽",
]
_ORDINARY += ["❤\ufe0f", "🇩🇪", "→ ± ·", "\t", "\n", " ", "$ ls -la", "C:\\x", "½", "\u00a0", "\u00ad"]


@given(st.lists(st.sampled_from(_ORDINARY), max_size=20).map("".join))
def test_what_people_write_stays_as_it_is_however_it_is_joined(text: str) -> None:
    assert neutralise(text) == text


def test_a_windows_line_end_is_a_line_end() -> None:
    assert neutralise("one\r\ntwo\r\n") == "one\ntwo\n"


@given(texts | controls)
def test_no_control_character_survives(text: str) -> None:
    assert not any(map(is_dangerous, neutralise(text)))


@given(texts | controls)
def test_neutral_text_stays_as_it_is(text: str) -> None:
    once = neutralise(text)
    assert neutralise(once) == once


@given(texts | controls, st.integers(0, 50))
def test_one_line_is_one_safe_line_of_no_more_than_its_width(text: str, width: int) -> None:
    line = one_line(text, width)
    assert len(line) <= max(width, 1)
    assert not any(char in "\n\t" or is_dangerous(char) for char in line)


@for_each(
    ("text", "width", "line"),
    [
        ("  a\n\n b\t", 9, "a b"),
        ("abcdef", 6, "abcdef"),
        ("abcdef", 5, "abcd…"),
        ("abcdef", 1, "…"),
        ("a\x1b[1m", 9, "a␛[1m"),
    ],
)
def test_one_line_joins_words_and_cuts_with_an_ellipsis(text: str, width: int, line: str) -> None:
    assert one_line(text, width) == line
