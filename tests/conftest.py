"""Fixtures that every test may use: a fresh CODEX_HOME and project, and the real codex binaries one by one."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.kit.support import NPM_CODEX_ENV, codex_binaries, has_second_codex

pytest_plugins = ["tests.kit.alone", "tests.kit.coverage_floor", "tests.kit.failed"]

_BINARIES = codex_binaries()

# The size of the terminal that pytest runs in, or that pytest-xdist gives its workers, must not reach any command.
for _name in ("COLUMNS", "LINES"):
    os.environ.pop(_name, None)

# A shell starts background jobs with these ignored, and that is inherited: what a test starts would never
# see Ctrl-C, or the hang-up of its terminal.
for _signum, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_signum) is signal.SIG_IGN:
        signal.signal(_signum, _handler)

# An example may take its time, because the machine may be busy; and every run tries the same ones, so that a red suite
# is red for a change. `pytest --hypothesis-profile=default` looks for new ones. `./test.sh` tries a tenth
# as many; a test that wants more or fewer than others says so by `tests.kit.cases.examples`, which keeps the share.
settings.register_profile(
    "stable", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("everyday", settings.get_profile("stable"), max_examples=10)
settings.load_profile("stable")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the second codex version to the judges where the test shows what no version changes."""
    for item in items:
        if item.get_closest_marker("version_free") and has_second_codex(item):
            item.add_marker("judge")


@pytest.fixture(scope="session", autouse=True)
def _no_wait_for_the_disk() -> Iterator[None]:
    """No `fsync` in the tests' own process: no test cuts the power, and a turn on disk waits for several of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _fd: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_ones_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An empty `HOME` for all that is started: each command of a turn begins with a login shell, and what a profile
    does there may take seconds (one that has pyenv waits for its lock, for a minute)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("user")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_system_name(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No `lsb_release` for Codex, which then reads `/etc/os-release`: it would run it 18 times at its start,
    57 processes and 45 ms where it is a shell script, as on Debian."""
    folder = tmp_path_factory.mktemp("bin")
    false = shutil.which("false")
    assert false is not None
    (folder / "lsb_release").symlink_to(false)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(folder), prepend=os.pathsep)
        yield


@pytest.fixture
def codex_home(tmp_path: Path) -> Path:
    """An empty CODEX_HOME for this test; `demo.codex_home` fills it."""
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
