"""Tests that run alone: those marked `alone` measure memory, processor time or how long something takes.

Owns the locks between the processes of pytest-xdist. While such a test runs no other does; and one process collects the
tests before the others do. In a run of one process there is nothing to lock.
"""

from __future__ import annotations

import fcntl
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

_FOLDER = "alone_folder"


class _LockController:
    """In the process that hands out the tests: a folder for the locks, which every worker learns of."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="tests-alone-")

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[_FOLDER] = self._folder.name

    def pytest_unconfigure(self) -> None:
        self._folder.cleanup()


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_LockController(), "alone-controller")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Around the whole test, its fixtures too; tried first, so that waiting does not count as its time."""
    folder = getattr(item.config, "workerinput", {}).get(_FOLDER)
    if folder is None:
        return (yield)
    with _locked(Path(folder), is_alone=item.get_closest_marker("alone") is not None):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Collect the tests alone or after another has. In a fresh checkout the first compiles every module, and the others
    read what it has written: at once they would each compile everything."""
    folder = getattr(session.config, "workerinput", {}).get(_FOLDER)
    if folder is None:
        return (yield)
    collected = Path(folder, "collected")
    with collected.with_name("collecting").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if collected.exists():
            fcntl.flock(lock, fcntl.LOCK_UN)
        result = yield
        collected.touch()
        return result


@contextmanager
def _locked(folder: Path, *, is_alone: bool) -> Iterator[None]:
    """Hold the room, alone or with others. A test that wants it alone closes the gate: no other comes in before it."""
    with (folder / "gate").open("a") as gate, (folder / "room").open("a") as room:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if is_alone else fcntl.LOCK_SH)
        if not is_alone:
            fcntl.flock(gate, fcntl.LOCK_UN)
        yield
