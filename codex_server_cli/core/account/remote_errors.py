"""Errors of remote control, with the next step for the user. Owns the Codex error texts that they are recognised by.

The texts are the same in 0.163.0, 0.169.0 and 0.171.0.
"""

from __future__ import annotations

import json
import re
from typing import Any

from codex_server_cli.core.protocol.rpc import at, text_in
from codex_server_cli.errors import (
    BadInputError,
    BusyError,
    CodexServerError,
    ErrorKind,
    NotFoundError,
    NotLoggedInError,
)

ENABLE = "codex-server remote enable"
PAIR = "codex-server remote pair"
_LOGIN = "codex-server login"
_AGAIN = "Try again in some minutes."
_MOST_DETAIL = 200

_NOT_ENROLLED = re.compile(r"until enrollment completes")
_KEY = re.compile(r"API key auth is not supported")
_LOGGED_OUT = re.compile(r"requires ChatGPT authentication")
_OFF = re.compile(r"requires remote control to be enabled")
_FOREIGN = re.compile(r"invalid remote control URL `([^`]*)`")
_NEEDS_EXPERIMENTAL = re.compile(r"requires experimentalApi capability")
_UNKNOWN_METHOD = re.compile(r"unknown variant|method not found|remote control is unavailable", re.IGNORECASE)
_HTTP = re.compile(
    r"(enrollment|pairing status|pairing|client list|client revoke)(?: response)?\b.*?: HTTP (\d{3}[^,]*)"
)
_PARSE = re.compile(r"failed to parse ")
_BODY = re.compile(r"body: (.*?)(?:, decode error: .*)?$", re.DOTALL)
_NETWORK = re.compile(r"error sending request|timed? ?out|connection", re.IGNORECASE)

_WHAT = {
    "enrollment": "remote control",
    "pairing": "a pairing code",
    "pairing status": "the state of the pairing code",
    "client list": "the list of devices",
    "client revoke": "to revoke this device",
}


def is_not_enrolled(text: str) -> bool:
    """Whether Codex says that the enrollment is not complete: it also says so if the service refused."""
    return _NOT_ENROLLED.search(text) is not None


def error_of(text: str) -> CodexServerError:
    """The error for Codex's error text."""
    if is_not_enrolled(text):
        return not_enrolled()
    if _LOGGED_OUT.search(text):
        return wrong_login(is_key=_KEY.search(text) is not None)
    if _OFF.search(text):
        return not_enabled()
    if found := _FOREIGN.search(text):
        message = (
            f"Codex's config.toml has another chatgpt_base_url, {found[1]}: remote control goes to chatgpt.com alone"
        )
        return BadInputError(
            message, hint="Take chatgpt_base_url out of config.toml in CODEX_HOME, then run this again."
        )
    if found := _HTTP.search(text):
        return _of_http(found[1], found[2].strip(), text)
    if _NETWORK.search(text):
        hint = "Is the network there? The shared server has the proxy variables of the shell that started it."
        return CodexServerError(f"Codex cannot reach ChatGPT: {text}", hint=hint, kind=ErrorKind.NETWORK)
    if _NEEDS_EXPERIMENTAL.search(text) or _UNKNOWN_METHOD.search(text):
        message = f"this codex offers no remote control: {text}"
        return CodexServerError(message, hint="Update codex, then: codex-server setup", kind=ErrorKind.BAD_REQUEST)
    return CodexServerError(f"Codex refused: {text}", hint="codex-server doctor", kind=ErrorKind.BAD_REQUEST)


def _of_http(step: str, status: str, text: str) -> CodexServerError:
    """The error for an HTTP status of the service."""
    what = _WHAT[step]
    said = f"HTTP {status}{_detail(text)}"
    if _PARSE.search(text):
        message = f"this codex does not understand what ChatGPT answered about {what}: {said}"
        return CodexServerError(message, hint="Update codex, then: codex-server setup", kind=ErrorKind.PROTOCOL)
    if status.startswith("401"):
        return NotLoggedInError(f"ChatGPT does not take this login for {what}: {said}", hint=_LOGIN)
    if status.startswith("404") and step.startswith("pairing"):
        return NotFoundError(f"ChatGPT does not know this pairing code any more: {said}", hint=f"A new one: {PAIR}")
    if status.startswith("404") and step.startswith("client"):
        message = f"ChatGPT knows no such device or machine: {said}"
        return NotFoundError(message, hint="The devices: codex-server remote clients")
    if status.startswith("429"):
        return BusyError(f"ChatGPT has had too many requests: {said}", hint=_AGAIN, kind=ErrorKind.RATE_LIMIT)
    if status.startswith("5"):
        return BusyError(f"ChatGPT's service fails: {said}", hint=_AGAIN, kind=ErrorKind.OVERLOADED)
    message = f"ChatGPT does not give this account {what}: {said}"
    hint = "Whether an account may use remote control is its owner's setting, or its workspace's, in ChatGPT."
    return CodexServerError(message, hint=hint, kind=ErrorKind.AUTH)


def _detail(text: str) -> str:
    """The service's own message, if the body that Codex quotes is JSON and has one; else empty."""
    found = _BODY.search(text)
    try:
        body: Any = json.loads(found[1]) if found else None
    except ValueError:  # a web page
        return ""
    said = (
        text_in(at(body, "detail", str)) or text_in(at(body, "message", str)) or text_in(at(body, "error.message", str))
    )
    return f", {said[:_MOST_DETAIL]!r}" if said else ""


def wrong_login(*, is_key: bool) -> NotLoggedInError:
    """There is no ChatGPT login."""
    found = "it is logged in with an API key" if is_key else "it is logged out"
    return NotLoggedInError(f"remote control needs Codex to be logged in with ChatGPT, and {found}", hint=_LOGIN)


def not_enabled() -> BadInputError:
    """Remote control is off."""
    return BadInputError("remote control is not on", hint=ENABLE)


def not_enrolled() -> BusyError:
    """Remote control is on, but not enrolled yet."""
    message = "this machine is not enrolled with ChatGPT yet"
    hint = f"Run this again in some seconds; if that does not help, `{ENABLE}` says why."
    return BusyError(message, hint=hint, kind=ErrorKind.NETWORK)


def pairing_refused() -> CodexServerError:
    """It is connected, but the service returns no code; Codex does not report the service's response."""
    message = (
        "ChatGPT gives no pairing code: it may not allow this login to pair devices, or no longer know this machine"
    )
    hint = f"`codex-server remote disable`, then `{ENABLE}`; if that does not help, `codex-server login`"
    return CodexServerError(message, hint=hint, kind=ErrorKind.AUTH)


def unreachable() -> CodexServerError:
    """It is enrolled, but the connection is refused."""
    message = "this machine is enrolled, but ChatGPT refuses or loses its connection"
    hint = f"{_AGAIN} If it goes on, `codex-server login` renews the login."
    return BusyError(message, hint=hint, kind=ErrorKind.NETWORK)


def try_again() -> BusyError:
    """It was refused a moment ago, but not on a retry."""
    return BusyError("ChatGPT refused at first", hint="Run this again.", kind=ErrorKind.NETWORK)
