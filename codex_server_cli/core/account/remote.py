"""Remote control of an app-server from a phone or the web: its data types, and the queries that switch and read it.

Each connection begins with `initialize`, and with `experimentalApi`. Must never do I/O. Seen with 0.163.0 and 0.171.0
against a fake service: with `ephemeral`, `remoteControl/enable` succeeds even if the enrollment is refused; the status
becomes `errored`, Codex keeps retrying, and only a request for a pairing code returns the reason.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from codex_server_cli.core.account.remote_errors import (
    error_of,
    is_not_enrolled,
    not_enrolled,
    pairing_refused,
    try_again,
    unreachable,
    wrong_login,
)
from codex_server_cli.core.model.payer import mode_of
from codex_server_cli.core.protocol.query import Listen, Query
from codex_server_cli.core.protocol.rpc import (
    Message,
    at,
    finite_number,
    nonempty_text,
    object_at,
    objects_in,
    readable_message,
    text_in,
)
from codex_server_cli.errors import CodexServerError, ErrorKind

DISABLED, CONNECTING, CONNECTED, ERRORED = "disabled", "connecting", "connected", "errored"
_CHANGED = "remoteControl/status/changed"
_PAGE = 100
_MAX_PAGES = 50
_YEAR_9980_S = 252_771_000_000
"""Later times are not shown: `datetime` ends at the year 9999."""


class RemoteStatus(NamedTuple):
    """The state of remote control of one app-server.

    Attributes:
        state: `disabled`, `connecting`, `connected`, `errored`, or a later Codex's value; Codex itself retries after
            `errored`.
        server_name: what the phone calls this machine: its host name.
        environment_id: the service's name for this server, once it is enrolled.
    """

    state: str = DISABLED
    server_name: str | None = None
    installation_id: str | None = None
    environment_id: str | None = None


class PairingCode(NamedTuple):
    """A code that one device can claim, until `expires_at_s` (Unix time).

    Attributes:
        code: the long one.
        manual_code: the short one to type in; None if it was not requested.
    """

    code: str
    manual_code: str | None
    expires_at_s: float

    @property
    def to_type(self) -> str:
        """The code to show: the short one where there is one."""
        return self.manual_code or self.code


class RemoteClient(NamedTuple):
    """A paired device; an unknown attribute is None.

    Attributes:
        last_seen_s: Unix time.
    """

    client_id: str
    name: str | None = None
    platform: str | None = None
    model: str | None = None
    app_version: str | None = None
    last_seen_s: float | None = None


def status_in(result: Message) -> RemoteStatus:
    """The status in a result, or in the parameters of `remoteControl/status/changed`."""
    return RemoteStatus(
        nonempty_text(result.get("status")) or "unknown",
        nonempty_text(result.get("serverName")),
        nonempty_text(result.get("installationId")),
        nonempty_text(result.get("environmentId")),
    )


def ask_status() -> Query[RemoteStatus]:
    """Ask for the current status.

    Raises:
        CodexServerError: Codex does not report it.
    """
    return status_in(_result((yield "remoteControl/status/read", {})))


def await_change(known: RemoteStatus, timeout_s: float) -> Query[RemoteStatus]:
    """Wait for a status that differs from `known`; returns `known` after `timeout_s` without a change.

    A notification only says that something has changed: it may be older than the known status.

    Raises:
        CodexServerError: as `ask_status`.
    """
    status = yield from ask_status()
    while status == known and (yield Listen(_CHANGED, timeout_s)):
        status = yield from ask_status()
    return status


def check_remote_login() -> Query[None]:
    """Check in advance what Codex would refuse only in the background, when it can no longer be switched off.

    Raises:
        NotLoggedInError: this app-server has no ChatGPT login.
    """
    status = object_at((yield "getAuthStatus", {"includeToken": False, "refreshToken": False}), "result")
    mode = mode_of(status.get("authMethod"))
    if "authMethod" in status and mode in (None, "api_key"):
        raise wrong_login(is_key=mode is not None)


def enable() -> Query[RemoteStatus]:
    """Switch it on for the life of this app-server; it connects in the background.

    Never permanently: that would make every app-server of the same `CODEX_HOME` connect, the user's own too.

    Raises:
        CodexServerError: Codex refused.
    """
    return status_in(_result((yield "remoteControl/enable", {"ephemeral": True})))


def disable() -> Query[RemoteStatus]:
    """Switch it off. Paired devices stay paired.

    Raises:
        CodexServerError: Codex refused.
    """
    return status_in(_result((yield "remoteControl/disable", {})))


def await_connection(timeout_s: float, *, passes_errors: bool = False) -> Query[RemoteStatus]:
    """Wait until it is no longer connecting; returns the last status, also after `timeout_s` without a change.

    Args:
        passes_errors: keep waiting while it is `errored`, because Codex retries.

    Raises:
        CodexServerError: as `ask_status`.
    """
    passing = (CONNECTING, ERRORED) if passes_errors else (CONNECTING,)
    status = yield from ask_status()
    while status.state in passing:
        later = yield from await_change(status, timeout_s)
        if later == status:
            break
        status = later
    return status


def ask_reason(status: RemoteStatus) -> Query[CodexServerError]:
    """Ask why the status is `errored`. Makes Codex retry; if that succeeds, a pairing code is created and not used."""
    if status.environment_id is not None:
        return unreachable()
    reply = yield "remoteControl/pairing/start", {"manualCode": False}
    return try_again() if "result" in reply else error_of(_text_of(reply))


def start_pairing(*, is_manual: bool) -> Query[PairingCode]:
    """A new code for one device.

    Args:
        is_manual: request a short one, too.

    Raises:
        BadInputError: remote control is not on.
        BusyError: it is not connected yet.
        CodexServerError: the service refused.
    """
    reply = yield "remoteControl/pairing/start", {"manualCode": is_manual}
    if "result" not in reply and is_not_enrolled(_text_of(reply)):
        status = yield from ask_status()  # Codex has one text for "not yet" and for the service's 401, 403, 404
        raise pairing_refused() if status.state == CONNECTED else not_enrolled()
    result = _result(reply)
    code, expires_at_s = text_in(result.get("pairingCode")), _time_s(result.get("expiresAt"))
    if not code or expires_at_s is None:
        raise CodexServerError("Codex named no pairing code", hint="codex-server doctor", kind=ErrorKind.PROTOCOL)
    return PairingCode(code, nonempty_text(result.get("manualPairingCode")), expires_at_s)


def is_claimed(code: PairingCode) -> Query[bool]:
    """Whether a device has claimed a code.

    Raises:
        NotFoundError: the service does not know it any more.
        CodexServerError: the service refused.
    """
    which = {"manualPairingCode": code.manual_code} if code.manual_code else {"pairingCode": code.code}
    return _result((yield "remoteControl/pairing/status", which)).get("claimed") is True


def ask_clients(environment_id: str) -> Query[list[RemoteClient]]:
    """The paired devices, the most recently seen first.

    Raises:
        CodexServerError: the service refused.
    """
    clients: list[RemoteClient] = []
    params: Message = {"environmentId": environment_id, "limit": _PAGE, "order": "desc"}
    for _ in range(_MAX_PAGES):
        result = _result((yield "remoteControl/client/list", params))
        clients += filter(None, map(_client, objects_in(result.get("data"))))
        cursor = nonempty_text(result.get("nextCursor"))
        if cursor is None:
            break
        params = {**params, "cursor": cursor}
    return clients


def _client(entry: Message) -> RemoteClient | None:
    """One device of the list; None without an id, since it could not be revoked."""
    client_id = nonempty_text(entry.get("clientId"))
    if client_id is None:
        return None
    return RemoteClient(
        client_id,
        name=nonempty_text(entry.get("displayName")),
        platform=nonempty_text(entry.get("platform")) or nonempty_text(entry.get("deviceType")),
        model=nonempty_text(entry.get("deviceModel")),
        app_version=nonempty_text(entry.get("appVersion")),
        last_seen_s=_time_s(entry.get("lastSeenAt")),
    )


def revoke(environment_id: str, client_id: str) -> Query[None]:
    """Revoke a device's access.

    Raises:
        NotFoundError: the service knows no such device.
        CodexServerError: the service refused.
    """
    _result((yield "remoteControl/client/revoke", {"environmentId": environment_id, "clientId": client_id}))


def _time_s(value: Any) -> float | None:
    seconds = finite_number(value)
    return seconds if seconds is not None and 0 < seconds < _YEAR_9980_S else None


def _result(reply: Message) -> Message:
    result = at(reply, "result", dict)
    if result is not None:
        return result
    raise error_of(_text_of(reply))


def _text_of(reply: Message) -> str:
    return readable_message(object_at(reply, "error"))
