"""Fixtures that every test may use: a fresh CODEX_HOME and project, and the real codex binaries one by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import NPM_CODEX_ENV, codex_binaries

_BINARIES = codex_binaries()


@pytest.fixture
def codex_home(tmp_path: Path) -> Path:
    """An empty CODEX_HOME of this test's own; `demo.codex_home` fills it."""
    home = tmp_path / "codex-home"
    home.mkdir(mode=0o700)
    return home


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty directory to run turns in."""
    directory = tmp_path / "project"
    directory.mkdir()
    return directory


@pytest.fixture(params=[path for _, path in _BINARIES], ids=[label for label, _ in _BINARIES])
def codex(request: pytest.FixtureRequest) -> Path:
    """Each real codex binary in turn; skipped when neither PyPI's package nor the environment names one."""
    path: Path = request.param
    return path


@pytest.fixture
def one_codex() -> Path:
    """One real codex binary, for tests where the version does not matter."""
    if not _BINARIES:
        pytest.skip(f"no codex binary: install the `codex` extra or set {NPM_CODEX_ENV}")
    return _BINARIES[0][1]
