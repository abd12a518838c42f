"""Codex's TOML: what it accepts beyond Python's own reader, and what it does not. As observed on the real binaries."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_server_cli.core.model.codex_toml import parse_file, parse_value, text_value
from tests.kit.cases import for_each


@for_each(
    ("data", "content"),
    [
        (b"", {}),
        (b"\xef\xbb\xbfa = 1\n", {"a": 1}),
        (b"a = {\n b = 1,\n c = [2,],\n}\n", {"a": {"b": 1, "c": [2]}}),
        (b'a = "\\x41\\e"\r\n', {"a": "A\x1b"}),
    ],
)
def test_what_codex_reads_is_read(data: bytes, content: dict[str, Any]) -> None:
    assert parse_file(data) == content


@for_each(
    "data",
    [
        b"a =",
        b"\xff",
        b"\xef\xbb\xbf\xef\xbb\xbfa = 1",
        b"a = 1\na = 2",
        b"a = 1\rb = 2",
        b"a = " + b"[" * 5000,
        b"a = [{b = -9223372036854775809}]",
    ],
    ids=lambda data: repr(data)[:30],
)
def test_what_codex_refuses_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 — any message
        parse_file(data)


@for_each(
    ("text", "value"),
    [
        ("1", 1),
        (" true ", True),
        ('"x" # why', "x"),
        ("{a = 1,}", {"a": 1}),
        ("{a = 1,\n b = 2}", {"a": 1, "b": 2}),
        (r'"\x41\e"', "A\x1b"),
        ("1\nb = 2", 1),
        ("gpt-5.5", "gpt-5.5"),
        ("x = 1", "x = 1"),
        ("", ""),
        ('"x', "x"),
        ('"x" "y"', 'x" "y'),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", "9223372036854775808"),
    ],
)
def test_a_value_is_what_codex_takes_it_for(text: str, value: Any) -> None:
    assert parse_value(text) == value


@given(st.text())
def test_a_text_is_read_as_it_was_written(text: str) -> None:
    assert parse_value(text_value(text)) == text
