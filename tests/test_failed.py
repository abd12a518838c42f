"""A failed test ends what it started: the next one neither fails because of it nor runs beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[1]
TWO_TESTS = """
import gc, pathlib, socket, subprocess, sys, threading

def test_that_fails_with_all_hands_full():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1, stdout=-1, stderr=-1, text=True)
    process.stdin.write("not flushed, and never read")
    pathlib.Path("pid").write_text(str(process.pid))
    ended = subprocess.Popen([sys.executable, "-c", ""], stdout=-1)
    file, ends, waits = open("pid"), socket.socketpair(), threading.Event()
    def wait_in_vain():
        raise AssertionError(waits.wait(0.5))
    threading.Thread(target=wait_in_vain).start()
    try:
        raise KeyError("why")
    except KeyError as error:
        raise AssertionError("because") from error

def test_that_is_fine():
    gc.collect()
    assert threading.active_count() == 1
"""


@pytest.mark.full
def test_what_a_failed_test_leaves_ends_with_it_and_fails_no_other(tmp_path: Path) -> None:
    (tmp_path / "test_two.py").write_text(TWO_TESTS)
    words = ("-p", "tests.kit.failed", "-p", "no:cacheprovider", "-W", "error", "-q", "test_two.py")
    command = [sys.executable, "-m", "pytest", "--rootdir", str(tmp_path), "-o", f"pythonpath={ROOT}", *words]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "1 failed, 1 passed" in run.stdout, run
    assert "AssertionError: because\n" in run.stdout
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))
