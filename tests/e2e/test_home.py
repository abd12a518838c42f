"""The tests' own home: processes that a test has started and left end with the home, and are reported."""

from __future__ import annotations

import psutil

from tests.kit.home import COMMAND, Home
from tests.kit.support import wait_until


def test_what_a_test_spawned_and_left_is_told_ended_and_reaped_with_its_pipes_closed(one_home: Home) -> None:
    left, ended = one_home.spawn("tail", "--all", "--follow", "--json"), one_home.spawn("version")
    wait_until(lambda: psutil.Process(ended.pid).status() == psutil.STATUS_ZOMBIE, what="the end of the other")
    (words,) = one_home.close(has_failed=True)
    assert f"{COMMAND} tail --all --follow --json" in words
    for process in (left, ended):
        assert process.returncode is not None
        assert [pipe.closed for pipe in (process.stdin, process.stdout, process.stderr) if pipe] == [True] * 3
    assert one_home.close() == []
