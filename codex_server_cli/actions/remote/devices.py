"""The devices of remote control: pairing one, listing them, and revoking the access of one. Must never print."""

from __future__ import annotations

import time
from collections.abc import Callable

from codex_server_cli.actions.remote.reach import CONNECT_S, TIMEOUT_S, Reach, Server
from codex_server_cli.core.account import remote as queries
from codex_server_cli.core.account.remote import (
    CONNECTED,
    DISABLED,
    PairingCode,
    RemoteClient,
    RemoteStatus,
)
from codex_server_cli.core.account.remote_errors import PAIR, not_enabled
from codex_server_cli.errors import (
    AmbiguousError,
    CodexMissingError,
    CodexServerError,
    NotFoundError,
    ServerError,
)
from codex_server_cli.settings.config import read_config
from codex_server_cli.settings.places import Settings

_POLL_S = 2.0
_CLIENTS = "codex-server remote clients"
_SEE_CLIENTS = f"codex-server remote enable, then {_CLIENTS}: the device may be among them."
_OFFLINE = "this machine is not connected to ChatGPT just now: `codex-server remote status --follow` shows when it is"


def pair(
    settings: Settings,
    reach: Reach,
    show: Callable[[PairingCode], None],
    warn: Callable[[str], None],
    *,
    is_manual: bool,
    waits: bool,
    timeout_s: float | None = None,
) -> bool:
    """Make a pairing code, and wait until a device has claimed it.

    Args:
        show: called once, with the code.
        warn: called with a line about what prevents a device from pairing.
        is_manual: also make a short code to type in.
        waits: wait for the claim, at most until the code expires.
        timeout_s: at most this long.

    Returns:
        Whether it is claimed; False without a wait, or after the timeout.

    Raises:
        BadInputError: remote control is not on.
        NotFoundError: the code has expired.
        CodexServerError: the service refused.
    """
    is_kept = read_config(settings.config_path).remote_control
    with reach(settings, starts=is_kept) as server:
        status = _ready_to_pair(server, is_kept)
        assert server is not None
        code = server.run(queries.start_pairing(is_manual=is_manual), TIMEOUT_S)
        show(code)
        if status.state != CONNECTED:
            warn(_OFFLINE)
        return waits and _await_claim(server, code, warn, timeout_s)


def _ready_to_pair(server: Server | None, is_kept: bool) -> RemoteStatus:
    """The state of a server that can make a pairing code.

    Raises:
        CodexServerError: it cannot; the message says why.
    """
    if server is None:
        raise not_enabled()
    if server.run(queries.ask_status(), TIMEOUT_S).state == DISABLED:
        if not is_kept:
            raise not_enabled()
        server.run(queries.check_remote_login(), TIMEOUT_S)
        server.run(queries.enable(), TIMEOUT_S)  # it has just started, and its keeper has not enabled it yet
    status = server.run(queries.await_connection(CONNECT_S), CONNECT_S + TIMEOUT_S)
    if status.environment_id is None:
        raise server.run(queries.ask_reason(status), TIMEOUT_S)
    return status


def _await_claim(server: Server, code: PairingCode, warn: Callable[[str], None], timeout_s: float | None) -> bool:
    until = None if timeout_s is None else time.monotonic() + timeout_s
    warned: str | None = None
    while True:
        try:
            if server.run(queries.is_claimed(code), TIMEOUT_S):
                return True
        except (CodexMissingError, ServerError) as error:
            raise ServerError(
                "the shared server has ended meanwhile, and the wait with it", hint=_SEE_CLIENTS
            ) from error
        except CodexServerError as error:
            if not error.kind.is_retryable:
                raise
            if error.message != warned:
                warned = error.message
                warn(f"{error.message}; still waiting")
        if time.time() >= code.expires_at_s:
            raise NotFoundError("the pairing code has expired, and no device has claimed it", hint=PAIR)
        if until is not None and time.monotonic() >= until:
            return False
        rest_s = min(until - time.monotonic() if until is not None else _POLL_S, code.expires_at_s - time.time())
        time.sleep(min(max(rest_s, 0), _POLL_S))


def read_clients(settings: Settings, reach: Reach) -> list[RemoteClient]:
    """The paired devices.

    Raises:
        BadInputError: remote control is not on.
        CodexServerError: the service refused.
    """
    with reach(settings, starts=False) as server:
        return _clients(server)[1]


def revoke(settings: Settings, reach: Reach, wanted: str) -> RemoteClient:
    """Revoke the access of a device; return the device.

    Args:
        wanted: its id, a unique prefix of it, or its name.

    Raises:
        NotFoundError: no such device is paired, or several are.
        BadInputError: remote control is not on.
        CodexServerError: the service refused.
    """
    with reach(settings, starts=False) as server:
        environment_id, clients = _clients(server)
        client = _client_of(clients, wanted)
        assert server is not None
        server.run(queries.revoke(environment_id, client.client_id), TIMEOUT_S)
    return client


def _clients(server: Server | None) -> tuple[str, list[RemoteClient]]:
    """The service's id of a server's environment, and the devices that are paired with it.

    Raises:
        CodexServerError: as `read_clients`.
    """
    if server is None:
        raise not_enabled()
    status = server.run(queries.await_connection(CONNECT_S), CONNECT_S + TIMEOUT_S)
    if status.state == DISABLED:
        raise not_enabled()
    if status.environment_id is None:
        raise server.run(queries.ask_reason(status), TIMEOUT_S)
    return status.environment_id, server.run(queries.ask_clients(status.environment_id), TIMEOUT_S)


def _client_of(clients: list[RemoteClient], wanted: str) -> RemoteClient:
    by_id = [each for each in clients if each.client_id == wanted]
    found = by_id or [each for each in clients if wanted and each.client_id.startswith(wanted)]
    found = found or [each for each in clients if each.name is not None and each.name.lower() == wanted.lower()]
    if len(found) == 1:
        return found[0]
    if found:
        hint = f"Give the id: {', '.join(each.client_id for each in found)}"
        raise AmbiguousError(f"{len(found)} paired devices are called {wanted!r}", hint=hint)
    raise NotFoundError(f"no paired device is called {wanted!r}", hint=f"The devices: {_CLIENTS}")
