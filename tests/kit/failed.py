"""What a failed test leaves behind ends with it: no other test fails because of it, or runs beside it.

Owns: whether a test has failed, and the end of the processes, threads and files that it still holds then. Never here:
what a passed test must have cleaned up itself, and what a home or a shell runs (they end that themselves).
"""

from __future__ import annotations

import contextlib
import gc
import subprocess
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Generator

import pytest

from tests.kit.support import DEADLINE_S

_ERRORS = pytest.StashKey[list[BaseException]]()
SPARED_PIDS: set[int] = set()
"""Children that serve all tests of a session, and hold nothing of one: a failure does not end them."""
_EXCEPTHOOK = pytest.StashKey[Callable[[threading.ExceptHookArgs], object]]()


def has_failed(item: pytest.Item) -> bool:
    """Whether this test has failed by now, in its fixtures or in itself."""
    return bool(item.stash.get(_ERRORS, None))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember why a test failed, before its fixtures end."""
    report = yield
    if report.failed and call.excinfo is not None and call.when != "teardown":
        _note(item, call.excinfo.value)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """After the finalizers of a failed test, end what they left."""
    try:
        yield
    except BaseException as error:
        _note(item, error)
        raise
    finally:
        if errors := item.stash.get(_ERRORS, None):
            _end_processes()
            _end_threads()
            _release(errors)
            errors[:] = [AssertionError("failed")]  # the reason was reported; the frames are not to be kept
            threading.excepthook = item.stash[_EXCEPTHOOK]


def _note(item: pytest.Item, error: BaseException) -> None:
    """Note a failure; later errors in threads of the test are expected, and not to be reported for another test."""
    item.stash.setdefault(_ERRORS, []).append(error)
    if _EXCEPTHOOK not in item.stash:
        item.stash[_EXCEPTHOOK] = threading.excepthook
        threading.excepthook = lambda _: None


def _end_processes() -> None:
    """Kill and reap the children that a frame still holds, and close their pipes."""
    for process in [each for each in gc.get_objects() if issubclass(type(each), subprocess.Popen)]:
        if process.pid in SPARED_PIDS:
            continue
        if process.poll() is None:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):  # unwritten data that has no reader any more
                    pipe.close()


def _end_threads() -> None:
    """Wait for the threads of the test, which end at a deadline at the latest."""
    deadline = time.monotonic() + DEADLINE_S
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(max(0.0, deadline - time.monotonic()))


def _release(errors: list[BaseException]) -> None:
    """Release what the frames of the failure hold, with warnings about unclosed files off."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for error in errors:
            at: BaseException | None = error
            while at is not None:
                traceback.clear_frames(at.__traceback__)
                for frame, _ in traceback.walk_tb(at.__traceback__):
                    _ = frame.f_locals  # updates the copy of the locals that the failure report took
                at = at.__cause__ or at.__context__
        gc.collect()
