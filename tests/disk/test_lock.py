"""Liveness by kernel locks: held, free, passed on, and waited for."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread, Timer
from typing import NoReturn

import pytest

from codex_server_cli.disk import lock
from tests.kit.support import DEADLINE_S, wait_until

PAUSE = "import signal; signal.pause()"
HOLD = f"""
import os, pathlib, subprocess, sys
from codex_server_cli.disk import lock
fd = lock.create_locked(pathlib.Path(sys.argv[1]))
keep = {{"inherit": (fd,), "close": ()}}[sys.argv[2]]
child = subprocess.Popen([sys.executable, "-c", {PAUSE!r}], pass_fds=keep)
print(child.pid, flush=True)
{PAUSE}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


@pytest.fixture
def lock_fd(path: Path) -> Iterator[int]:
    """A lock that this process holds; the test may close the descriptor itself."""
    fd = lock.create_locked(path)
    yield fd
    with contextlib.suppress(OSError):
        os.close(fd)


class LockHolder:
    """A process that holds a lock, and its child; both are dead at the end of the `with`."""

    def __init__(self, path: Path, mode: str) -> None:
        self._process = subprocess.Popen([sys.executable, "-c", HOLD, str(path), mode], stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self._child_pid = int(self._process.stdout.readline())

    def __enter__(self) -> LockHolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.kill_child()

    def kill(self) -> None:
        """Kill the first holder."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def kill_child(self) -> None:
        """Kill its child, which init reaps."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._child_pid, signal.SIGKILL)


def test_a_new_lock_is_held_and_not_inherited(path: Path, lock_fd: int) -> None:
    assert lock.is_held(path)
    assert not os.get_inheritable(lock_fd)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_lock_is_created_once(path: Path, lock_fd: int) -> None:
    with pytest.raises(FileExistsError):
        lock.create_locked(path)


def test_a_closed_descriptor_frees_the_lock(path: Path, lock_fd: int) -> None:
    os.close(lock_fd)
    assert not lock.is_held(path)


def test_a_missing_lock_is_not_held_and_need_not_be_waited_for(path: Path) -> None:
    assert not lock.is_held(path)
    assert lock.wait_until_free(path)
    with pytest.raises(FileNotFoundError):
        lock.try_lock(path)


def test_a_free_lock_is_taken_by_one(path: Path, lock_fd: int) -> None:
    assert lock.try_lock(path) is None
    os.close(lock_fd)
    fd = lock.try_lock(path)
    assert fd is not None
    assert lock.try_lock(path) is None
    assert lock.is_held(path)
    os.close(fd)


def test_a_link_in_place_of_a_lock_is_not_followed(path: Path, tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    path.symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="symbolic links"):
        lock.try_lock(path)


def test_two_readers_who_probe_at_once_never_see_each_other(path: Path, lock_fd: int) -> None:
    os.close(lock_fd)
    barrier, seen = Barrier(2), list[bool]()

    def probe() -> None:
        barrier.wait()
        seen.extend(lock.is_held(path) for _ in range(2000))

    readers = [Thread(target=probe) for _ in range(2)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert len(seen) == 4000
    assert not any(seen)


def test_a_reader_in_the_middle_of_its_probe_is_not_taken_for_a_holder(path: Path, lock_fd: int) -> None:
    os.close(lock_fd)
    fd = os.open(path, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_SH)
    assert not lock.is_held(path)
    assert lock.try_lock(path) is None  # which is why a repairer tries for a while
    os.close(fd)


def test_a_lock_falls_when_its_holder_is_killed_though_a_child_of_it_lives(path: Path) -> None:
    with LockHolder(path, "close") as holder:
        assert lock.is_held(path)
        holder.kill()
        assert not lock.is_held(path)


def test_a_lock_that_was_passed_on_outlives_its_first_holder_and_falls_with_the_last(path: Path) -> None:
    with LockHolder(path, "inherit") as holder:
        holder.kill()
        assert lock.is_held(path)
        holder.kill_child()
        wait_until(lambda: not lock.is_held(path), what="a free lock")


@pytest.mark.parametrize("timeout_s", [None, 0.0, 5.0, 1e30])
def test_a_free_lock_is_not_waited_for(path: Path, lock_fd: int, timeout_s: float | None) -> None:
    os.close(lock_fd)
    assert lock.wait_until_free(path, timeout_s)


@pytest.mark.parametrize("timeout_s", [0.0, -1.0])
def test_no_time_means_one_look(path: Path, lock_fd: int, timeout_s: float) -> None:
    assert not lock.wait_until_free(path, timeout_s)


def test_waiting_ends_on_time_and_takes_no_processor_time(path: Path, lock_fd: int) -> None:
    started, worked = time.monotonic(), time.process_time()
    assert not lock.wait_until_free(path, 1)
    assert 1 <= time.monotonic() - started < DEADLINE_S
    assert time.process_time() - worked < 0.5


@pytest.mark.parametrize("timeout_s", [None, 2 * DEADLINE_S])
def test_waiting_ends_when_the_lock_falls(path: Path, lock_fd: int, timeout_s: float | None) -> None:
    timer = Timer(0.1, os.close, [lock_fd])
    started = time.monotonic()
    timer.start()
    assert lock.wait_until_free(path, timeout_s)
    assert time.monotonic() - started < DEADLINE_S
    timer.join()


def test_waiting_leaves_the_alarm_as_it_was(path: Path, lock_fd: int) -> None:
    def on_alarm(_signum: int, _frame: object) -> None:
        raise AssertionError("a late alarm")

    before = signal.signal(signal.SIGALRM, on_alarm)
    try:
        assert not lock.wait_until_free(path, 0.01)
        assert signal.getsignal(signal.SIGALRM) is on_alarm
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("is_free", [False, True])
def test_an_alarm_that_fires_as_it_is_turned_off_never_escapes(
    path: Path, lock_fd: int, monkeypatch: pytest.MonkeyPatch, *, is_free: bool
) -> None:
    turn_timer, is_firing = signal.setitimer, False

    def fire_late(which: int, seconds: float, interval: float = 0.0) -> tuple[float, float]:
        nonlocal is_firing
        if seconds == 0 and signal.getitimer(which) != (0.0, 0.0) and not is_firing:
            is_firing = True
            try:
                signal.raise_signal(signal.SIGALRM)
            finally:
                is_firing = False
        return turn_timer(which, seconds, interval)

    if is_free:
        os.close(lock_fd)
    monkeypatch.setattr(signal, "setitimer", fire_late)
    before = signal.getsignal(signal.SIGALRM)
    try:
        lock.wait_until_free(path, 10.0 if is_free else 0.01)
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
        assert signal.getsignal(signal.SIGALRM) is before
    finally:
        turn_timer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_lock_is_its_holders_own_until_its_file_is_deleted_moved_or_replaced(path: Path, lock_fd: int) -> None:
    assert lock.is_own(lock_fd, path)
    path.rename(path.with_name("moved"))
    assert not lock.is_own(lock_fd, path)
    path.touch()
    assert not lock.is_own(lock_fd, path)
    path.unlink()
    path.with_name("moved").rename(path)
    assert lock.is_own(lock_fd, path)


def test_a_lock_in_a_directory_that_is_gone_has_no_owner(path: Path, lock_fd: int) -> None:
    assert not lock.is_own(lock_fd, path.parent / "nowhere" / "lock")


def test_a_lock_whose_holder_cannot_be_inspected_stays_its_own(
    path: Path, lock_fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path) -> NoReturn:
        raise PermissionError

    monkeypatch.setattr(Path, "lstat", refuse)
    assert lock.is_own(lock_fd, path)


def test_an_alarm_that_rings_before_the_lock_is_asked_for_costs_nothing(
    path: Path, lock_fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy machine may let a whole time limit pass between the two."""
    os.close(lock_fd)
    turn_timer = signal.setitimer

    def ring_at_once(which: int, seconds: float, interval: float = 0.0) -> tuple[float, float]:
        before = turn_timer(which, seconds, interval)
        if seconds:
            signal.raise_signal(signal.SIGALRM)
        return before

    monkeypatch.setattr(signal, "setitimer", ring_at_once)
    fd = lock.acquire(path, 10.0)
    assert fd is not None
    os.close(fd)
    assert lock.wait_until_free(path, 10.0)


@pytest.mark.parametrize(("timeout_s", "is_free"), [(0.1, False), (DEADLINE_S, True)])
def test_a_thread_waits_without_an_alarm(path: Path, lock_fd: int, timeout_s: float, *, is_free: bool) -> None:
    found: list[bool] = []
    thread = Thread(target=lambda: found.append(lock.wait_until_free(path, timeout_s)))
    thread.start()
    if is_free:
        os.close(lock_fd)
    thread.join()
    assert found == [is_free]
