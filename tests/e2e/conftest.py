"""Fixtures of the end-to-end tests: a home for each real codex binary, and no leftovers."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kit.coverage_floor import environment_for
from tests.kit.failed import has_failed
from tests.kit.home import COMMAND, Home
from tests.kit.support import codex_binaries, codex_env

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


def _home(request: pytest.FixtureRequest, codex: Path, initialised: Initialised) -> Iterator[Home]:
    home = Home(request.getfixturevalue("tmp_path"), codex, initialised(codex))
    home.env |= environment_for(request.node, is_first_codex=codex == codex_binaries()[0][1])
    yield home
    failed = has_failed(request.node)
    assert home.close(has_failed=failed) == [] or failed, "the turns of this test left processes behind"


@pytest.fixture
def home(request: pytest.FixtureRequest, codex: Path, initialised: Initialised) -> Iterator[Home]:
    """A home with each codex in turn: for what a turn does."""
    yield from _home(request, codex, initialised)


@pytest.fixture
def one_home(request: pytest.FixtureRequest, one_codex: Path, initialised: Initialised) -> Iterator[Home]:
    """A home with one codex: for what is decided before or beside it."""
    yield from _home(request, one_codex, initialised)
