"""Switching remote control on and off, and its state. Must never print.

Codex switches it on only for the lifetime of one app-server; its keeper switches it on again at each start while
`config.json` says `"remote_control": true`. Only on our own server: on a foreign one it would give a phone access to
what its owner runs there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from codex_server_cli.actions.config_file import write_config
from codex_server_cli.actions.remote.reach import CONNECT_S, TIMEOUT_S, Reach, Server
from codex_server_cli.core.account import remote as queries
from codex_server_cli.core.account.remote import CONNECTING, DISABLED, ERRORED, RemoteStatus
from codex_server_cli.core.account.remote_errors import ENABLE
from codex_server_cli.disk.turn import layout
from codex_server_cli.errors import BusyError, CodexMissingError, CodexServerError, ServerError
from codex_server_cli.settings.config import read_config
from codex_server_cli.settings.places import Settings

_RECOVERY_S = 8.0
"""Codex retries after 1 to 3 s at first, then with growing delays."""
_UNDO_S = 5.0
_TICK_S = 5.0
_RECONNECT_S = 1.0
_MOST_FAILURES = 10


class Remote(NamedTuple):
    """The state of remote control.

    Attributes:
        status: None where no shared server runs.
        is_kept: whether each shared server that starts switches it on.
    """

    status: RemoteStatus | None
    is_kept: bool


def read_remote(settings: Settings, reach: Reach) -> Remote:
    """The state of remote control; starts nothing.

    Raises:
        CodexServerError: the server does not report it.
    """
    is_kept = read_config(settings.config_path).remote_control
    with reach(settings, starts=False) as server:
        status = None if server is None else server.run(queries.ask_status(), TIMEOUT_S)
    return Remote(status, is_kept)


def follow_remote(settings: Settings, reach: Reach) -> Iterator[Remote | None]:
    """The state of remote control and each change of it, endlessly; None every few seconds without a change.

    The end of a server is a change, and so is the start of the next one.

    Raises:
        CodexServerError: as `read_remote`, at the first read or repeatedly.
    """
    last = read_remote(settings, reach)
    yield last
    failures = 0
    while True:
        try:
            found = _await_change(settings, reach, last)
            failures = 0
        except (CodexMissingError, ServerError):  # the server has ended, which the next read shows
            failures += 1
            if failures > _MOST_FAILURES:
                raise
            time.sleep(_RECONNECT_S)
            found = last
        yield None if found == last else found
        last = found


def _await_change(settings: Settings, reach: Reach, last: Remote) -> Remote:
    with reach(settings, starts=False) as server:
        if server is None:
            time.sleep(_RECONNECT_S if last.status is None else 0)
            status = None
        else:
            status = server.run(queries.await_change(last.status or RemoteStatus(), _TICK_S), TIMEOUT_S)
    return Remote(status, read_config(settings.config_path).remote_control)


def enable_remote(settings: Settings, reach: Reach) -> Remote:
    """Switch it on, now and at each later start; nothing is changed on failure or Ctrl-C.

    Raises:
        NotLoggedInError: there is no ChatGPT login, or the service does not accept it.
        CodexServerError: it cannot be switched on.
    """
    was_kept = read_config(settings.config_path).remote_control
    layout.prepare_home(settings.turns_path)
    with reach(settings, starts=True) as server:
        assert server is not None
        server.run(queries.check_remote_login(), TIMEOUT_S)
        was_on = server.run(queries.ask_status(), TIMEOUT_S).state != DISABLED
        try:
            server.run(queries.enable(), TIMEOUT_S)
            status = _connected(server)
            write_config(settings, remote_control=True)
        except BaseException:
            if not (was_kept or was_on):
                with suppress(CodexServerError):
                    server.run(queries.disable(), _UNDO_S)
            raise
    return Remote(status, is_kept=True)


def _connected(server: Server) -> RemoteStatus:
    """Its state once it is connected, or still connecting after a while.

    Raises:
        CodexServerError: it is refused, with the reason; a retryable refusal only after Codex has retried in vain.
    """
    status = server.run(queries.await_connection(CONNECT_S), CONNECT_S + TIMEOUT_S)
    if _is_stuck(status):
        reason = server.run(queries.ask_reason(status), TIMEOUT_S)
        if reason.kind.is_retryable:
            recovery = queries.await_connection(_RECOVERY_S, passes_errors=True)
            status = server.run(recovery, _RECOVERY_S + TIMEOUT_S)
        if _is_stuck(status):
            raise reason
    if status.state == DISABLED:
        raise BusyError("another command switched remote control off at the same moment", hint=ENABLE)
    return status


def _is_stuck(status: RemoteStatus) -> bool:
    """Whether it is refused. Codex stays `connecting` where the refusal comes too early: seen with 0.163.0."""
    return status.state == ERRORED or (status.state == CONNECTING and status.environment_id is None)


def disable_remote(settings: Settings, servers: Callable[[Settings], Sequence[Server]]) -> Remote:
    """Switch it off everywhere, now and for each later start; paired devices stay paired.

    Args:
        servers: all that run: an outdated one, or one of another environment, may be connected, too.

    Raises:
        CodexServerError: one cannot be switched off; even then, no later start switches it on again.
    """
    if read_config(settings.config_path).remote_control:
        write_config(settings, remote_control=False)
    statuses: list[RemoteStatus] = []
    failure: CodexServerError | None = None
    for server in servers(settings):
        try:
            statuses.append(_switched_off(server))
        except CodexServerError as error:
            failure = error
    if failure is not None:
        failure.hint = f"{failure.hint} Or end it: codex-server server restart".strip()
        raise failure
    statuses.sort(key=lambda each: each.state == DISABLED)
    return Remote(statuses[0] if statuses else None, is_kept=False)


def _switched_off(server: Server) -> RemoteStatus:
    try:
        return server.run(queries.disable(), TIMEOUT_S)
    except CodexServerError:  # without a login Codex refuses this, too, but is not connected either
        status = server.run(queries.await_connection(CONNECT_S), CONNECT_S + TIMEOUT_S)
        if not _is_stuck(status):
            raise
        return status
