"""Whether one directory lies in another."""

from __future__ import annotations

import pytest

from codex_server_cli.core.places import is_within


@pytest.mark.parametrize(
    ("place", "root", "is_in"),
    [
        ("/a", "/a", True),
        ("/a/b", "/a", True),
        ("/a/b", "/a/", True),
        ("/", "/", True),
        ("/a", "/", True),
        ("/ab", "/a", False),
        ("/", "/a", False),
    ],
)
def test_a_place_is_within_a_directory_by_whole_names(place: str, root: str, is_in: bool) -> None:
    assert is_within(place, root) is is_in
