"""Bytes in words."""

from __future__ import annotations

from codex_server_cli.core.size import size
from tests.kit.cases import for_each


@for_each(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1.0 KB"),
        (5 * 2**20, "5.0 MB"),
        (3 * 2**30, "3.0 GB"),
        (2**50, "1048576.0 GB"),
    ],
)
def test_sizes_are_short(count: int, text: str) -> None:
    assert size(count) == text
