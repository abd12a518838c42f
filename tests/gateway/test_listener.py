"""The socket that `serve` listens on."""

from __future__ import annotations

import os
import resource
import socket
import stat
from pathlib import Path

import pytest

from codex_server_cli.errors import BusyError
from codex_server_cli.gateway.listener import listening, raise_file_limit
from codex_server_cli.gateway.options import ServeOptions
from tests.kit.cases import for_each


@for_each(("host", "address"), [("127.0.0.1", "http://127.0.0.1:{}"), ("::1", "http://[::1]:{}")])
def test_a_port_is_told_as_clients_write_it_and_dead_peers_are_noticed(host: str, address: str) -> None:
    with listening(ServeOptions(host=host, port=0)) as (listener, told):
        assert told == address.format(listener.getsockname()[1])
        with socket.create_connection(listener.getsockname()[:2]), listener.accept()[0] as accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert accepted.proto == socket.IPPROTO_TCP  # else asyncio does not send small pieces at once
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 3


def test_a_socket_is_its_users_alone_whatever_the_umask_and_goes_with_it(tmp_path: Path) -> None:
    path = tmp_path / "s"
    before = os.umask(0)
    try:
        with listening(ServeOptions(host=None, port=None, path=str(path))) as (_, told):
            assert told == f"unix:{path}"
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        assert os.umask(before) == 0
    assert not path.exists()


def test_a_socket_that_somebody_else_has_put_there_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "s"
    options = ServeOptions(host=None, port=None, path=str(path))
    with listening(options):
        path.unlink()
        with listening(options):
            pass
        path.touch()
    assert path.exists()


def test_one_at_which_somebody_listens_is_busy_and_a_dead_one_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "s"
    options = ServeOptions(host=None, port=None, path=str(path))
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        with pytest.raises(BusyError, match="another process listens"), listening(options):
            pass
    with listening(options), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_the_limit_of_open_files_is_raised_as_far_as_it_may_be_and_bounds_the_connections() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
    try:
        most = raise_file_limit()
        raised = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        assert raised >= min(hard, 16_384) or hard == resource.RLIM_INFINITY
        assert 16 <= most <= 4096
        assert 3 * most <= raised
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
