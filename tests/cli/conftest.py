"""Fixtures of the tests of the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.coverage_floor import environment_for
from tests.kit.failed import has_failed
from tests.kit.shell import Shell
from tests.kit.turns_on_disk import TurnsOnDisk


@pytest.fixture
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shell]:
    """A shell; no process outlives it."""
    shell = Shell(tmp_path)
    shell.env |= environment_for(request.node)
    yield shell
    shell.close(has_failed=has_failed(request.node))


@pytest.fixture
def turns(shell: Shell) -> Iterator[TurnsOnDisk]:
    """The turns of the shell's home."""
    with TurnsOnDisk(shell.home / "turns") as turns:
        yield turns
