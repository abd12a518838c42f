"""The stored form of a bell is no command's, and is read back as it was."""

from __future__ import annotations

import shlex

import pytest

from codex_server_cli.core.model.bell import Bell, read_bell


def test_a_bell_is_read_back() -> None:
    bell = Bell("/dev/pts/a b", 34819, 1000)
    assert read_bell(shlex.split(bell.line)) == bell


@pytest.mark.parametrize("line", ["/bin/bell /dev/pts/3 1 1000", "bell", "bell /dev/pts/3 one 1000", "bell a 1 2 3"])
def test_a_command_is_no_bell(line: str) -> None:
    assert read_bell(line.split()) is None
