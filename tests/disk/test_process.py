"""Whether the process that a record names is still that process."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from codex_server_cli.disk.process import has_dead_worker, living_worker, process_identity
from tests.kit.cases import for_each
from tests.kit.support import wait_until


def own_meta() -> dict[str, Any]:
    ticks, boot_id = process_identity(os.getpid())
    return {"pid": os.getpid(), "pid_start_ticks": ticks, "boot_id": boot_id}


def test_the_process_that_a_record_names_is_alive_if_all_three_marks_are_its_own() -> None:
    meta = own_meta()
    assert living_worker(meta) == os.getpid()
    for other in ({"pid": 1}, {"pid_start_ticks": meta["pid_start_ticks"] - 1}, {"boot_id": "another"}):
        assert living_worker(meta | other) is None


@for_each("pid", [None, 0, -1, 2**31, 10**30, True, "1", [1], 1.5], ids=repr)
def test_an_odd_pid_is_no_process(pid: Any) -> None:
    assert living_worker(own_meta() | {"pid": pid}) is None


def test_a_record_without_proof_names_no_process() -> None:
    assert living_worker({}) is None
    assert living_worker({"pid": os.getpid()}) is None
    assert living_worker({"pid": os.getpid(), "pid_start_ticks": None, "boot_id": None}) is None


def test_a_worker_is_dead_only_where_the_record_can_prove_it() -> None:
    meta = own_meta()
    assert not has_dead_worker(meta)
    assert has_dead_worker(meta | {"pid_start_ticks": meta["pid_start_ticks"] - 1})
    for unknown in ({"pid": None}, {"pid": "1"}, {"pid_start_ticks": None}, {"boot_id": None}):
        assert not has_dead_worker(meta | unknown)


def test_what_is_left_of_a_process_that_was_not_reaped_is_dead() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    ticks, boot_id = process_identity(process.pid)
    meta = {"pid": process.pid, "pid_start_ticks": ticks, "boot_id": boot_id}
    assert living_worker(meta) == process.pid
    process.kill()
    try:
        wait_until(lambda: living_worker(meta) is None, what="a zombie")
    finally:
        process.communicate()
