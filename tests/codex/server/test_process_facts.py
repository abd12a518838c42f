"""What the kernel tells of processes and sockets: those that are there, those that are gone, and no /proc."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from codex_server_cli.codex.server import process
from codex_server_cli.codex.server.process import boot_id, can_connect, children_of, start_ticks
from tests.kit.support import wait_until


@pytest.fixture
def zombie() -> Iterator[subprocess.Popen[bytes]]:
    """A child that has ended, and was not waited for."""
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        wait_until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE, what="the end of the child")
        yield child


def test_a_process_has_begun_and_a_zombie_or_one_that_is_gone_has_not(zombie: subprocess.Popen[bytes]) -> None:
    assert start_ticks(os.getpid()) is not None
    assert zombie.pid in children_of(os.getpid())
    assert start_ticks(zombie.pid) is None
    zombie.wait()
    assert start_ticks(zombie.pid) is None
    assert children_of(zombie.pid) == []


def test_without_proc_the_same_is_known(zombie: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(path: str, *_: object, **__: object) -> None:
        raise FileNotFoundError(path)

    monkeypatch.setattr(process, "open", absent, raising=False)
    assert boot_id() == ""
    first = start_ticks(os.getpid())
    assert first is not None
    assert first == start_ticks(os.getpid())
    assert start_ticks(zombie.pid) is None
    zombie.wait()
    assert start_ticks(zombie.pid) is None


def test_a_socket_is_listened_on_also_where_its_queue_is_full_and_not_where_it_is_a_file_or_was_left(
    tmp_path: Path,
) -> None:
    path = tmp_path / "socket"
    assert not can_connect(str(path))
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as first:
        server.bind(str(path))
        assert not can_connect(str(path))
        server.listen(0)
        first.connect(str(path))
        assert can_connect(str(path))
    assert not can_connect(str(path))
