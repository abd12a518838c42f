"""Queries about an account: identity, login and logout, limits, models. Owns the calls and their errors.

Each connection begins with `initialize`. Must never do I/O, and never keep or reveal a key or a token. The replies were
seen with 0.163.0 and 0.171.0 (protocol notes, section 7); the app-server serves the login page on port 1455, else 1457,
and a second login from anywhere on the machine ends the first.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from codex_server_cli.core.account.account import Account, Model, account_in, account_without_details, models_in
from codex_server_cli.core.model.payer import account_of_status
from codex_server_cli.core.protocol.query import Listen, Query, initialize
from codex_server_cli.core.protocol.rpc import Message, at, object_at, params_of, readable_message, text_in
from codex_server_cli.core.record.rate_limits import Limits, limits_in
from codex_server_cli.errors import BusyError, CodexServerError, ErrorKind, NotLoggedInError

LOGIN_TIMEOUT_S = 20 * 60.0
"""Time for the user to log in. Codex itself allows ten minutes for a page and fifteen for a code."""
_MAX_PAGES = 50
_UPDATED_TIMEOUT_S = 10.0
"""Codex sends `account/login/completed`, then applies the login, then sends `account/updated`."""

_TRY_AGAIN = "Try again: codex-server login (only one at a time waits on a machine), or codex-server login --device."
_NOT_CHATGPT = re.compile(r"authentication required", re.IGNORECASE)
_UNAUTHORIZED = re.compile(r"unauthorized|\b401\b", re.IGNORECASE)
_PORT_IS_TAKEN = re.compile(r"already in use", re.IGNORECASE)
_NETWORK = re.compile(r"error sending request|failed to (?:fetch|request)|timed? ?out|connection", re.IGNORECASE)


class LoginStart(NamedTuple):
    """A pending login: a page to open, and the code to enter there, if it needs one."""

    login_id: str
    url: str
    user_code: str | None = None


def ask_account(*, refreshes: bool) -> Query[Account]:
    """Ask who is logged in; only the mode is known where `account/read`, which needs the network, fails.

    Args:
        refreshes: let Codex renew its token first. It does not report whether that worked.
    """
    reply = yield "account/read", {"refreshToken": refreshes}
    result = at(reply, "result", dict)
    if result is not None:
        return account_in(result)
    status = yield "getAuthStatus", {"includeToken": False, "refreshToken": False}
    return account_without_details(object_at(status, "result"), _error_text(reply))


def ask_terms(cwd: str, version: str) -> Query[tuple[Message, Message]]:
    """What decides who pays: Codex's effective configuration, and the result of `account/read`.

    Either is empty if Codex does not report it. Begins with the handshake.
    """
    yield from initialize(version)
    account = at((yield "account/read", {}), "result", dict)
    if account is None:
        status = yield "getAuthStatus", {"includeToken": False, "refreshToken": False}
        account = account_of_status(object_at(status, "result"))
    return object_at((yield "config/read", {"cwd": cwd}), "result.config"), account


def problem_of(account: Account) -> NotLoggedInError | None:
    """Why an account with a known mode is unusable; None if Codex reported no such reason."""
    text = account.unavailable or ""
    return _login_rejected(text) if _UNAUTHORIZED.search(text) else None


def _login_rejected(text: str) -> NotLoggedInError:
    return NotLoggedInError(f"the service does not take this login any more: {text}", hint="codex-server login")


def ask_limits() -> Query[list[Limits]]:
    """The usage limits of a ChatGPT login.

    Raises:
        NotLoggedInError: there is no such login.
        CodexServerError: Codex could not fetch them.
    """
    return limits_in(_result((yield "account/rateLimits/read", {})))


def is_without_limits(text: str) -> bool:
    """Whether Codex's error says that only a ChatGPT login has limits."""
    return _NOT_CHATGPT.search(text) is not None


def ask_provider(thread_id: str | None = None) -> Query[str | None]:
    """The provider of a thread, or else of a new one; None if the configuration leaves it to Codex.

    A thread keeps the provider that it was created with, and a configuration has more sources than config.toml: seen
    with 0.163.0 and 0.171.0.

    Raises:
        CodexServerError: Codex does not report it, or knows no such thread.
    """
    if thread_id is not None:
        thread = _result((yield "thread/read", {"threadId": thread_id, "includeTurns": False}))
        return at(thread, "thread.modelProvider", str)
    return at(_result((yield "config/read", {})), "config.model_provider", str)


def ask_models() -> Query[list[Model]]:
    """Every model that Codex lists, the hidden ones too. Needs no login.

    Raises:
        CodexServerError: Codex refused.
    """
    models: list[Model] = []
    params: Message = {"includeHidden": True}
    for _ in range(_MAX_PAGES):
        result = _result((yield "model/list", params))
        models += models_in(result)
        cursor = result.get("nextCursor")
        if not cursor:
            break
        params = {**params, "cursor": cursor}
    return models


def start_login(*, is_device: bool) -> Query[LoginStart]:
    """Begin a ChatGPT login, in a browser on this machine or with a code in one elsewhere.

    Raises:
        BusyError: the ports of the login page are taken. Codex takes about 6 s to report it.
        CodexServerError: Codex cannot reach the service, or this kind of login is not allowed.
    """
    result = _result((yield "account/login/start", {"type": "chatgptDeviceCode" if is_device else "chatgpt"}))
    login_id, code = text_in(result.get("loginId")), text_in(result.get("userCode"))
    url = text_in(result.get("verificationUrl" if is_device else "authUrl"))
    if not login_id or not url.startswith(("https://", "http://")):  # it is opened in a browser
        raise CodexServerError("Codex named no page for the login", hint="codex-server doctor", kind=ErrorKind.PROTOCOL)
    return LoginStart(login_id, url, code or None)


def await_login(login_id: str) -> Query[None]:
    """Wait until this login is completed and applied.

    Raises:
        NotLoggedInError: it failed, with Codex's reason; or it timed out.
    """
    while completed := (yield Listen("account/login/completed", LOGIN_TIMEOUT_S)):
        params = params_of(completed)
        if params.get("loginId") == login_id:
            yield from _finish_login(params)
            return
    raise NotLoggedInError(f"no login was completed within {LOGIN_TIMEOUT_S / 60:.0f} minutes", hint=_TRY_AGAIN)


def log_in_with_key(key: str) -> Query[None]:
    """Log in with an API key.

    Raises:
        NotLoggedInError: Codex did not accept it.
        CodexServerError: Codex refused.
    """
    _result((yield "account/login/start", {"type": "apiKey", "apiKey": key}))
    yield from _finish_login(params_of((yield Listen("account/login/completed"))))


def _finish_login(completed: Message) -> Query[None]:
    if completed.get("success") is not True:
        reason = text_in(completed.get("error")).removeprefix("Login server error: ") or "Codex gave no reason"
        raise NotLoggedInError(f"the login was not completed: {reason}", hint=_TRY_AGAIN)
    yield Listen("account/updated", _UPDATED_TIMEOUT_S)


def cancel_login(login_id: str) -> Query[bool]:
    """Cancel a pending login; returns whether there was one."""
    return at((yield "account/login/cancel", {"loginId": login_id}), "result.status", str) == "canceled"


def log_out() -> Query[None]:
    """Log out; nothing changes where there is no login.

    Raises:
        CodexServerError: Codex refused.
    """
    _result((yield "account/logout", {}))


def _result(reply: Message) -> Message:
    result = at(reply, "result", dict)
    if result is not None:
        return result
    text = _error_text(reply)
    if is_without_limits(text):
        hint = "codex-server login, or `codex-server account` to see who is logged in."
        raise NotLoggedInError("only a ChatGPT login has limits, and there is none", hint=hint)
    if _UNAUTHORIZED.search(text):
        raise _login_rejected(text)
    if _PORT_IS_TAKEN.search(text):
        message = f"the login page cannot be served here: {text}"
        raise BusyError(message, hint="End what holds ports 1455 and 1457, or: codex-server login --device")
    if _NETWORK.search(text):
        hint = "Is the network there, and do its proxy variables stand in this shell?"
        raise CodexServerError(f"Codex cannot reach the service: {text}", hint=hint, kind=ErrorKind.NETWORK)
    raise CodexServerError(f"Codex refused: {text}", hint="codex-server doctor", kind=ErrorKind.BAD_REQUEST)


def _error_text(reply: Message) -> str:
    """Codex's error text, without the body of a web page that it quotes."""
    return readable_message(object_at(reply, "error")).partition("; content-type=")[0]
