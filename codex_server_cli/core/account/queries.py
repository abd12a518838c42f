"""What is asked about an account: who it is, logging in and out, limits, models. Owns the calls and their refusals.

Each conversation begins with `initialize`. Must never do the asking, and never keep or tell a key or a token. What the
app-server answers was seen with 0.163.0 and 0.171.0 (protocol notes, section 7); a login's page is served by it on
port 1455, else 1457, and a second login from anywhere on the machine ends the first.
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
"""For a person to log in. Codex itself gives a page ten minutes and a code fifteen."""
_MAX_PAGES = 50
_UPDATED_TIMEOUT_S = 10.0
"""Codex says `account/login/completed` first and takes the login into use after it: `account/updated` tells."""

_TRY_AGAIN = "Try again: codex-server login (only one at a time waits on a machine), or codex-server login --device."
_NOT_CHATGPT = re.compile(r"authentication required", re.IGNORECASE)
_UNAUTHORIZED = re.compile(r"unauthorized|\b401\b", re.IGNORECASE)
_PORT_IS_TAKEN = re.compile(r"already in use", re.IGNORECASE)
_NETWORK = re.compile(r"error sending request|failed to (?:fetch|request)|timed? ?out|connection", re.IGNORECASE)


class LoginStart(NamedTuple):
    """A login that waits for its person: a page to open, and the code to enter there, if it takes one."""

    login_id: str
    url: str
    user_code: str | None = None


def ask_account(*, refreshes: bool) -> Query[Account]:
    """Who is logged in. `account/read` wants to know the workspace and fails without the network: then the mode alone.

    Args:
        refreshes: let Codex renew its token first. It does not say whether that worked.
    """
    reply = yield "account/read", {"refreshToken": refreshes}
    result = at(reply, "result", dict)
    if result is not None:
        return account_in(result)
    status = yield "getAuthStatus", {"includeToken": False, "refreshToken": False}
    return account_without_details(object_at(status, "result"), _words(reply))


def ask_terms(cwd: str, version: str) -> Query[tuple[Message, Message]]:
    """What decides who pays: Codex's effective configuration, and what `account/read` says of it.

    Either is empty where Codex does not tell. Begins with the greeting.
    """
    yield from initialize(version)
    account = at((yield "account/read", {}), "result", dict)
    if account is None:
        status = yield "getAuthStatus", {"includeToken": False, "refreshToken": False}
        account = account_of_status(object_at(status, "result"))
    return object_at((yield "config/read", {"cwd": cwd}), "result.config"), account


def problem_of(account: Account) -> NotLoggedInError | None:
    """Why an account whose mode is known is no use, as far as Codex told; None where it told nothing of the kind."""
    words = account.unavailable or ""
    return _turned_away(words) if _UNAUTHORIZED.search(words) else None


def _turned_away(words: str) -> NotLoggedInError:
    return NotLoggedInError(f"the service does not take this login any more: {words}", hint="codex-server login")


def ask_limits() -> Query[list[Limits]]:
    """The usage limits of a ChatGPT login.

    Raises:
        NotLoggedInError: there is none.
        CodexServerError: Codex could not fetch them.
    """
    return limits_in(_result((yield "account/rateLimits/read", {})))


def ask_provider(thread_id: str | None = None) -> Query[str | None]:
    """The provider that serves a thread, or else a new one; None where the configuration leaves it to Codex.

    A thread keeps the provider that it was made with, and a configuration has more sources than its own file: seen
    with 0.163.0 and 0.171.0.

    Raises:
        CodexServerError: Codex does not tell, or knows no such thread.
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
        BusyError: the ports of the login page are taken. It takes Codex some 6 s to say so.
        CodexServerError: Codex cannot reach the service, or may not log in that way.
    """
    result = _result((yield "account/login/start", {"type": "chatgptDeviceCode" if is_device else "chatgpt"}))
    login_id, code = text_in(result.get("loginId")), text_in(result.get("userCode"))
    url = text_in(result.get("verificationUrl" if is_device else "authUrl"))
    if not login_id or not url.startswith(("https://", "http://")):  # it goes to a browser
        raise CodexServerError("Codex named no page for the login", hint="codex-server doctor", kind=ErrorKind.PROTOCOL)
    return LoginStart(login_id, url, code or None)


def await_login(login_id: str) -> Query[None]:
    """Wait until this login is over, and in use.

    Raises:
        NotLoggedInError: it failed, in Codex's words; or nobody logged in.
    """
    while completed := (yield Listen("account/login/completed", LOGIN_TIMEOUT_S)):
        params = params_of(completed)
        if params.get("loginId") == login_id:
            yield from _finish_login(params)
            return
    raise NotLoggedInError(f"nobody logged in within {LOGIN_TIMEOUT_S / 60:.0f} minutes", hint=_TRY_AGAIN)


def log_in_with_key(key: str) -> Query[None]:
    """Log in with an API key.

    Raises:
        NotLoggedInError: Codex did not take it.
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
    """Cancel a login that waits; whether there was one."""
    return at((yield "account/login/cancel", {"loginId": login_id}), "result.status", str) == "canceled"


def log_out() -> Query[None]:
    """Forget the login; nothing changes where there is none.

    Raises:
        CodexServerError: Codex refused.
    """
    _result((yield "account/logout", {}))


def _result(reply: Message) -> Message:
    result = at(reply, "result", dict)
    if result is not None:
        return result
    words = _words(reply)
    if _NOT_CHATGPT.search(words):
        hint = "codex-server login, or `codex-server account` to see who is logged in."
        raise NotLoggedInError("only a ChatGPT login has limits, and there is none", hint=hint)
    if _UNAUTHORIZED.search(words):
        raise _turned_away(words)
    if _PORT_IS_TAKEN.search(words):
        message = f"the login page cannot be served here: {words}"
        raise BusyError(message, hint="End what holds ports 1455 and 1457, or: codex-server login --device")
    if _NETWORK.search(words):
        hint = "Is the network there, and do its proxy variables stand in this shell?"
        raise CodexServerError(f"Codex cannot reach the service: {words}", hint=hint, kind=ErrorKind.NETWORK)
    raise CodexServerError(f"Codex refused: {words}", hint="codex-server doctor", kind=ErrorKind.BAD_REQUEST)


def _words(reply: Message) -> str:
    """Codex's words, less the body of a web page that it quotes."""
    return readable_message(object_at(reply, "error")).partition("; content-type=")[0]
