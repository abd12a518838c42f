"""What is valid input."""

from __future__ import annotations

import pytest

from codex_server_cli.core.inputs import MAX_BYTES, MAX_CHARS, check_prompt, decode_prompt, is_blank, joined
from codex_server_cli.errors import BadInputError
from tests.kit.cases import for_each


@for_each("text", ["hi", " -x ", "\n日本語\n", "a" * MAX_CHARS, "😀" * 10])
def test_a_prompt_is_handed_on_exactly_as_it_is(text: str) -> None:
    assert check_prompt(text) == text
    assert decode_prompt(text.encode()) == text


@for_each(
    ("text", "word"),
    [("", "empty"), (" \n\t", "empty"), ("a" * (MAX_CHARS + 1), "1048577"), ("a\0b", "NUL"), ("\ud800", "UTF-8")],
)
def test_what_codex_cannot_take_is_refused_before_anything_is_made(text: str, word: str) -> None:
    with pytest.raises(BadInputError, match=word):
        check_prompt(text)


BLANK = [
    *("", " \n\t\r\v\f", "\0\0", "\x1b\x7f\x85", "\ufeff", "\u200b", "\u200c\u200d", "\u2060", "\u00ad", "\u180e"),
    *("\u200e\u200f\u202a\u202e\u2066\u2069", "\u00a0\u2003\u3000\u2028", "\ufe0f", "\u034f", "\U000e0041"),
    *("\u115f\u1160\u3164\uffa0", "\u2800", "\ufeff \u200b\n"),
]


@for_each("text", BLANK, ids=ascii)
def test_invisible_text_is_no_prompt(text: str) -> None:
    assert is_blank(text)
    with pytest.raises(BadInputError, match="the prompt is empty"):
        check_prompt(text)


@for_each(
    "text",
    ["x", ".", "\u200bx", "é", "日本", "…", "❓", "👩‍👩‍👧", "\U0001fae8", "\ue000", "٣", "\ufeff-", "e\u0301"],
    ids=ascii,
)
def test_whatever_can_be_seen_is_one(text: str) -> None:
    assert not is_blank(text)
    assert check_prompt(text) == text


def test_a_byte_order_mark_before_a_text_is_no_part_of_it() -> None:
    assert decode_prompt("\ufeffhi\ufeff".encode()) == "hi\ufeff"


@for_each(
    ("prompt", "piped", "whole"),
    [
        ("x", "data\n", "x\n\ndata\n"),
        ("x\n\n\n", "data", "x\n\ndata"),
        ("x \r\n", "\n data", "x \r\n\n\n data"),
        ("x\n", "", "x\n"),
        ("x", " \n\ufeff", "x"),
        (None, "data\n", "data\n"),
        (None, "", ""),
        ("", "data", ""),
        ("\u200b", "data", "\u200b"),
    ],
)
def test_what_is_piped_in_comes_behind_a_blank_line(prompt: str | None, piped: str, whole: str) -> None:
    assert joined(prompt, piped) == whole


def test_a_file_without_an_end_is_refused_for_its_size() -> None:
    with pytest.raises(BadInputError, match="more than 1048576 characters"):
        decode_prompt(b"\0" * (MAX_BYTES + 1))


def test_bytes_that_are_no_text_are_no_prompt() -> None:
    with pytest.raises(UnicodeDecodeError):
        decode_prompt(b"\xff")
