"""What the keeper does: it stops an idle server, and leaves with one that has ended or cannot be found any more."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import psutil
import pytest

from codex_server_cli.codex.server.shared import Lease, ensure_shared
from codex_server_cli.codex.server.state import Generation, directory_of
from tests.kit.shared_server import SharedServer, is_gone
from tests.kit.support import wait_until


def wait_for_looks(generation: Generation) -> None:
    """Wait until the keeper has looked after its server several times: it sleeps in between."""

    def sleeps() -> int:
        status = Path(f"/proc/{generation.keeper_pid}/status").read_text()
        return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])

    before = sleeps()
    wait_until(lambda: sleeps() >= before + 3, what="three looks of the keeper")


def test_it_stops_after_an_idle_time_but_not_while_a_client_holds_it(one_server: SharedServer) -> None:
    generation = one_server.ensure(idle_s=0.2)
    lease = Lease(generation)
    wait_for_looks(generation)
    assert one_server.find() == generation
    lease.release()
    wait_until(lambda: not one_server.processes(), what="its idle stop")
    assert one_server.find() is None
    assert "idle" in one_server.log
    assert sorted(path.name for path in one_server.directory.iterdir()) == ["lock", "server.log"]
    again = one_server.ensure()
    assert again.number == 2


@pytest.mark.measured
def test_it_does_not_stop_while_remote_control_is_on(one_server: SharedServer) -> None:
    config = one_server.home / "config.json"
    config.write_text('{"remote_control": true}')
    generation = one_server.ensure(idle_s=0.2)
    wait_for_looks(generation)
    assert one_server.find() == generation
    config.write_text("{}")
    wait_until(lambda: not one_server.processes(), what="its idle stop")


def test_one_with_arguments_of_its_own_has_no_remote_control_and_stops(one_server: SharedServer) -> None:
    (one_server.home / "config.json").write_text('{"remote_control": true}')
    key = one_server.key._replace(extra=("-c", "thread_unload_delay_secs=1"))
    ensure_shared(one_server.home, key, idle_s=0.2)
    wait_until(lambda: not one_server.processes(), what="its idle stop")
    log = Path(directory_of(one_server.home, key.name)) / "server.log"
    assert "remote control" not in log.read_text()


def test_a_server_that_is_killed_is_noticed_and_replaced(server: SharedServer) -> None:
    old = server.ensure()
    os.kill(old.pid, signal.SIGKILL)
    wait_until(lambda: is_gone(old.pid), what="its end")
    new = server.ensure()
    assert new.number == 2
    wait_until(lambda: is_gone(old.keeper_pid), what="the end of its keeper")
    assert "generation 1 has ended: signal 9" in server.log
    assert not (server.directory / "g1.sock").is_symlink()


def test_a_keeper_that_was_stopped_goes_on_when_it_is_to_end(one_server: SharedServer) -> None:
    old = one_server.ensure()
    os.kill(old.keeper_pid, signal.SIGSTOP)
    assert one_server.replace().number == old.number + 1
    wait_until(lambda: is_gone(old.keeper_pid), what="the end of the old keeper")


def test_a_deleted_home_ends_it(one_server: SharedServer) -> None:
    one_server.ensure()
    shutil.rmtree(one_server.home)
    wait_until(lambda: not one_server.processes(), what="the end of a server that cannot be found")


@pytest.mark.measured
@pytest.mark.full
def test_a_directory_that_was_deleted_and_made_anew_belongs_to_the_new_keeper(one_server: SharedServer) -> None:
    old = one_server.ensure()
    shutil.rmtree(one_server.directory)
    new = one_server.ensure()
    assert new.pid != old.pid
    wait_until(lambda: is_gone(old.keeper_pid), what="the end of the old keeper")
    assert one_server.find() == new


def test_what_a_killed_keeper_and_server_left_is_put_away_by_the_next(one_server: SharedServer) -> None:
    old = one_server.ensure()
    for pid in (old.pid, old.keeper_pid):
        os.kill(pid, signal.SIGSTOP)
    for pid in (old.pid, old.keeper_pid):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: is_gone(old.pid) and is_gone(old.keeper_pid), what="the end of both")
    assert one_server.ensure().number == 2
    names = sorted(path.name for path in one_server.directory.iterdir())
    assert names == ["g2.clients", "g2.sock", "lock", "server.json", "server.log"]


@pytest.mark.full
@pytest.mark.alone
def test_the_keeper_is_light_and_idle(one_server: SharedServer) -> None:
    generation = one_server.ensure()
    wait_for_looks(generation)
    above = psutil.Process(generation.keeper_pid).ppid()
    rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in (generation.keeper_pid, above)]
    assert sum(int(rollup.partition("\nPss:")[2].split()[0]) for rollup in rollups) <= 12 * 1024
    keeper, began = psutil.Process(generation.keeper_pid), time.monotonic()
    used = sum(keeper.cpu_times()[:2])
    for _ in range(2):
        wait_for_looks(generation)
    assert sum(keeper.cpu_times()[:2]) - used <= max(0.003 * (time.monotonic() - began), 0.02)  # a tick is 0.01 s
