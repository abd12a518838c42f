"""Fixtures of the tests of `disk`."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.kit.turns_on_disk import TurnsOnDisk


@pytest.fixture
def turns(tmp_path: Path) -> Iterator[TurnsOnDisk]:
    """An empty `turns` directory and a builder that puts turns into it."""
    with TurnsOnDisk(tmp_path / "home" / "turns") as turns:
        yield turns


FullDisk = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def full_disk() -> FullDisk:
    """Within it, no file may grow by a byte: every write fails as on a full disk, though with EFBIG."""

    @contextmanager
    def limit() -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limit
