"""Waiting for whichever of many locks falls first."""

from __future__ import annotations

import _thread
import os
import resource
import time
from pathlib import Path

import pytest

from codex_server_cli.disk import lock
from codex_server_cli.disk.first_free import FirstFree
from codex_server_cli.errors import BusyError
from tests.support import DEADLINE_S


def held(path: Path, count: int) -> dict[Path, int]:
    return {path / str(number): lock.create_locked(path / str(number)) for number in range(count)}


def test_the_lock_that_falls_is_told_and_the_others_go_on_being_watched(tmp_path: Path) -> None:
    fds = held(tmp_path, 200)
    watch = FirstFree(len(fds))
    for path in fds:
        watch.add(path)
    worked = time.process_time()
    assert watch.wait(0.3) is None
    assert time.process_time() - worked < 0.2
    for number in (120, 3):
        path = tmp_path / str(number)
        os.close(fds.pop(path))
        assert watch.wait(DEADLINE_S) == path
    for fd in fds.values():
        os.close(fd)
    assert {watch.wait(DEADLINE_S) for _ in fds} == set(fds)


def test_a_lock_that_is_not_there_is_free(tmp_path: Path) -> None:
    watch = FirstFree(1)
    watch.add(tmp_path / "none")
    assert watch.wait() == tmp_path / "none"


def test_more_locks_than_a_process_may_open_are_refused_before_one_looks_free() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        pytest.skip("no limit here")
    with pytest.raises(BusyError):
        FirstFree(hard)


def test_the_limit_of_open_files_is_raised_where_it_is_low() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, soft), hard))
    try:
        FirstFree(300)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 300
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_machine_without_threads_to_spare_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    with pytest.raises(BusyError):
        FirstFree(1).add(tmp_path / "lock")
