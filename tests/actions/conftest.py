"""Fixtures of the tests of `actions`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from codex_server_cli.settings.places import Settings
from tests.kit.turns_on_disk import TurnsOnDisk


@pytest.fixture
def settings(tmp_path: Path, codex_home: Path) -> Settings:
    """A home that does not exist yet."""
    return Settings(tmp_path / "home", codex_home, tmp_path, "", None)


@pytest.fixture
def turns(settings: Settings) -> Iterator[TurnsOnDisk]:
    """The turns of that home."""
    with TurnsOnDisk(settings.turns_path) as turns:
        yield turns
