"""A connection to the shared server that is made before what drives it is loaded."""

from __future__ import annotations

import json
import resource
import select
from typing import Any

import pytest

from codex_server_cli.codex.server.look import count_clients
from codex_server_cli.worker.server import early
from codex_server_cli.worker.server.early import Begun
from tests.kit.shared_server import SharedServer
from tests.kit.support import wait_until


def meta_of(server: SharedServer) -> dict[str, Any]:
    request = {"cwd": str(server.home), "thread_id": None, "may_bill_api_key": False}
    return {"codex": str(server.codex), "server": {"url": "shared"}, "request": request}


def begun(server: SharedServer) -> Begun | None:
    early.begin(meta_of(server))
    return early.take(server.key)


def test_a_connection_that_was_begun_holds_the_server_and_is_taken_once(one_server: SharedServer) -> None:
    found = one_server.ensure()
    connection = begun(one_server)
    assert connection is not None
    assert early.take(one_server.key) is None
    assert count_clients(found) == 1
    heard = connection.heard
    while not heard.endswith(b"\n"):  # a loaded machine: the reply was not there yet
        select.select(connection.link.fds(), [], [])
        heard += connection.link.read(*connection.link.fds()) or b""
    assert json.loads(heard.partition(b"\n")[0])["id"] == 1
    assert connection.sent.startswith(b'{"id":1,"method":"initialize"')
    connection.drop()
    wait_until(lambda: count_clients(found) == 0, what="the end of the lease")


def test_one_to_another_server_than_is_wanted_by_now_is_dropped(one_server: SharedServer) -> None:
    found = one_server.ensure()
    early.begin(meta_of(one_server))
    assert early.take(one_server.key._replace(variables="others")) is None
    wait_until(lambda: count_clients(found) == 0, what="the end of the lease")


def test_no_server_is_started(one_server: SharedServer) -> None:
    assert begun(one_server) is None
    assert one_server.find() is None


def test_none_is_begun_where_few_files_may_be_open(one_server: SharedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    one_server.ensure()
    monkeypatch.setattr(resource, "getrlimit", lambda _: (14, 14))
    assert begun(one_server) is None
