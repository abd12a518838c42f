"""Which generation of the shared server a turn is connected to: its own while that runs it, else one that takes it."""

from __future__ import annotations

import os
import signal
from typing import Any

from codex_server_cli import __version__
from codex_server_cli.codex.server.asking import SHARED
from codex_server_cli.codex.server.draining import is_draining
from codex_server_cli.codex.transport.connect import Route
from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.result.failures import make_error
from codex_server_cli.core.session.session import Session
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import ErrorKind
from codex_server_cli.settings.places import Settings
from codex_server_cli.worker.server.shared import SharedConnection
from tests.codex.server.test_turns_there import gated_turn
from tests.kit.shared_server import SharedServer
from tests.kit.support import wait_until

REQUEST = TurnRequest("20261120-165501-482-7f3a", "/srv")


def test_a_prompt_that_a_draining_server_has_refused_goes_to_the_next_and_a_lost_turn_is_looked_for_where_it_runs(
    one_server: SharedServer,
) -> None:
    settings = Settings.load()
    turn = TurnDir(settings.turns_path / REQUEST.turn_id)
    turn.inbox.mkdir(parents=True)
    os.mkfifo(turn.wake)
    record: dict[str, Any] = {"url": "shared"}
    connection = SharedConnection(REQUEST, Route(SHARED), record, one_server.key, settings, note=lambda: None)
    old, gate = gated_turn(one_server)
    running = one_server.start_turn(old)
    gate.wait_until_reached()
    link = connection.start()
    os.kill(old.pid, signal.SIGTERM)
    wait_until(lambda: is_draining(old.socket_path, 5.0), what="the drain")

    connection.end(link)  # cut off
    session = Session(REQUEST, "hi", __version__)
    connection.report(session, make_error(ErrorKind.CODEX_CRASHED, "lost"), is_passing=True, now_ms=0)
    link = connection.start(is_turn_there=True)
    assert record["pid"] == old.pid

    connection.end(link)  # by the session, which was refused
    link = connection.start(is_turn_there=True)
    assert record["pid"] != old.pid
    assert record["generation"] == old.number + 1
    assert not running.done()
    gate.open()
    running.result()
    connection.end(link)
