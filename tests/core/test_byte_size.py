"""Sizes as users write them."""

from __future__ import annotations

import pytest

from codex_server_cli.core.byte_size import parse_size
from codex_server_cli.errors import UsageError
from tests.kit.cases import for_each


@for_each(
    ("text", "n_bytes"),
    [("1K", 1024), ("500M", 500 * 2**20), ("2G", 2**31), ("1.5T", 3 * 2**39), (" 2 gib ", 2**31), ("10mb", 10 * 2**20)],
)
def test_a_number_with_its_unit_is_a_size(text: str, n_bytes: int) -> None:
    assert parse_size(text, "--max-size") == n_bytes


@for_each("text", ["", "0", "0G", "2", "-1G", "2X", "G", "big", "1e9G", "nan", "0.0001K", "9" * 400 + "T", "2G\0"])
def test_anything_else_is_none_and_so_is_nothing_at_all(text: str) -> None:
    with pytest.raises(UsageError, match="--max-size takes a size above 0 with its unit, not") as caught:
        parse_size(text, "--max-size")
    assert "2G" in caught.value.hint
