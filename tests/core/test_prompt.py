"""What may be asked."""

from __future__ import annotations

import pytest

from codex_server_cli.core.prompt import MAX_BYTES, MAX_CHARS, check_prompt, decode_prompt
from codex_server_cli.errors import BadInputError


@pytest.mark.parametrize("text", ["hi", " -x ", "\n日本語\n", "a" * MAX_CHARS, "😀" * 10])
def test_a_prompt_is_handed_on_exactly_as_it_is(text: str) -> None:
    assert check_prompt(text) == text
    assert decode_prompt(text.encode()) == text


@pytest.mark.parametrize(
    ("text", "word"),
    [("", "empty"), (" \n\t", "empty"), ("a" * (MAX_CHARS + 1), "1048577"), ("a\0b", "NUL"), ("\ud800", "UTF-8")],
)
def test_what_codex_cannot_take_is_refused_before_anything_is_made(text: str, word: str) -> None:
    with pytest.raises(BadInputError, match=word):
        check_prompt(text)


def test_a_file_without_an_end_is_refused_for_its_size() -> None:
    with pytest.raises(BadInputError, match="more than 1048576 characters"):
        decode_prompt(b"\0" * (MAX_BYTES + 1))


def test_bytes_that_are_no_text_are_no_prompt() -> None:
    with pytest.raises(UnicodeDecodeError):
        decode_prompt(b"\xff")
