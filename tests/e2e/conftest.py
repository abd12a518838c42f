"""Fixtures of the end-to-end tests: a home for each real codex binary, and nothing left behind."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.home import COMMAND, Home
from tests.support import codex_env

Initialised = Callable[[Path], Path]


@pytest.fixture(scope="session")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Initialised:
    """A CODEX_HOME that `codex-server setup` has initialised with a binary, made once for each and copied."""
    made: dict[Path, Path] = {}

    def make(codex: Path) -> Path:
        if codex not in made:
            root = tmp_path_factory.mktemp("initialised")
            (root / "bin").mkdir()
            (root / "bin" / "codex").symlink_to(codex)
            env = codex_env(root / "codex-home", CODEX_SERVER_HOME=str(root / "home"), PATH=str(root / "bin"))
            subprocess.run([COMMAND, "setup"], env=env, capture_output=True, check=True)
            made[codex] = root / "codex-home"
        return made[codex]

    return make


def _home(root: Path, codex: Path, initialised: Initialised) -> Iterator[Home]:
    home = Home(root, codex, initialised(codex))
    yield home
    assert home.close() == [], "the turns of this test left processes behind"


@pytest.fixture
def home(tmp_path: Path, codex: Path, initialised: Initialised) -> Iterator[Home]:
    """A home with each codex in turn: for what a turn goes through."""
    yield from _home(tmp_path, codex, initialised)


@pytest.fixture
def one_home(tmp_path: Path, one_codex: Path, initialised: Initialised) -> Iterator[Home]:
    """A home with one codex: for what is decided before or beside it."""
    yield from _home(tmp_path, one_codex, initialised)
