"""Ending a turn that its worker left running on a server that others use. Owns how long that may take.

Does nothing if the server cannot be reached: a reader that repairs a turn must never hang on a dead or silent server.
A server behind ssh ends its turn by itself; processes that were detached from it are swept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codex_server_cli import __version__
from codex_server_cli.core.model.server.address import ServerKind
from codex_server_cli.core.record.replay import replay
from codex_server_cli.core.session.shared.interrupt_query import interrupt_turn
from codex_server_cli.disk.turn.contents import event_lines
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import CodexServerError
from codex_server_cli.settings.places import Settings
from codex_server_cli.worker.server.client import client_to
from codex_server_cli.worker.server.route import route_to

_CONNECT_S, _QUERY_S = 1.0, 2.0
_SSH_S = 5.0


def end_there(turn: TurnDir, meta: Mapping[str, Any]) -> str | None:
    """Interrupt the turn on its server, if it still runs there, and end what its commands left running.

    Args:
        meta: its `meta.json`, which names a server.

    Returns:
        A line for the log; None where there is nothing to report.
    """
    record, settings = meta["server"], Settings.load()
    try:
        route = route_to(record, settings)
        if route.address.kind is ServerKind.SSH:
            from codex_server_cli.codex.transport.ssh import remote_sweep

            return remote_sweep(route, turn.turn_id, _SSH_S)
        thread_id, codex_turn_id = _ids_of(turn, meta)
        if thread_id is None or (route.address.kind is ServerKind.SHARED and route.socket_path is None):
            return None  # it was never sent
        with client_to(record, settings, connect_s=_CONNECT_S) as client:
            query = interrupt_turn(thread_id, codex_turn_id, turn.turn_id, __version__)
            was_running = client.run(query, _QUERY_S).was_running
    except (CodexServerError, OSError) as error:  # the rest of the cleanup must continue in any case
        why = error.message if isinstance(error, CodexServerError) else error
        return f"whether the turn still runs at {record['url']} is not known: {why}"
    return f"the turn still ran at {record['url']}, and was interrupted" if was_running else None


def _ids_of(turn: TurnDir, meta: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Codex's ids of thread and turn; from the events if a killed worker had not written them to `meta.json`."""
    thread_id, codex_turn_id = meta.get("thread_id"), meta.get("codex_turn_id")
    if codex_turn_id is None:
        told = replay(event_lines(turn))[0]
        thread_id, codex_turn_id = told.thread_id or thread_id, told.turn_id
    return thread_id, codex_turn_id
