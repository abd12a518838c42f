"""One JSON-RPC message of a client: parsed, checked, passed or refused. Owns the HTTP errors for refusals."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from anyio import to_thread
from starlette.requests import Request

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.core.protocol import rpc
from codex_server_cli.core.protocol.allow_list import ClientRights, Refused, admit
from codex_server_cli.core.protocol.rpc import Message
from codex_server_cli.core.protocol.sendable import why_unreadable
from codex_server_cli.gateway.http_answers import read_json
from codex_server_cli.gateway.login_check import LoginCheck
from codex_server_cli.gateway.state import Gateway

MOST_MESSAGE_BYTES = 48 * 1024 * 1024
"""As sent: on a message of more than 64 MiB the app-server closes the connection, which others share."""
_LONG_DIGITS = 7
"""Bodies from a megabyte on are checked off the event loop."""
CLIENT_HEADER = "x-codex-client"
TURN_STARTERS = frozenset(
    {"turn/start", "turn/steer", "review/start", "thread/compact/start", "thread/shellCommand", "thread/queue/start"}
)
"""Methods that a turn follows."""
_CLIENT_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


async def read_message(request: Request) -> Message:
    """The JSON-RPC message in a request's body.

    Raises:
        ApiError: it is no valid message, or the app-server could not read it.
    """
    document = await read_json(request)
    length = request.headers.get("content-length", "")
    if length.isdigit() and len(length) < _LONG_DIGITS and "content-encoding" not in request.headers:
        return checked(document)
    return await to_thread.run_sync(checked, document)  # off the event loop


def checked(message: Any) -> Message:
    """Check that the app-server can read a message.

    Raises:
        ApiError: it cannot.
    """
    if not isinstance(message, dict):
        what = "one JSON-RPC message, not several" if isinstance(message, list) else "a JSON object"
        raise ApiError(400, f"the body is {what}", code="invalid_message")
    if "method" not in message and not ("id" in message and ("result" in message or "error" in message)):
        raise ApiError(400, "a message has a `method`; or an `id`, and `result` or `error`", code="invalid_message")
    problem = why_unreadable(message)
    if problem is not None:
        raise ApiError(400, f"the app-server could not read this: {problem}", code="invalid_message")
    if len(rpc.encode(message)) > MOST_MESSAGE_BYTES:
        raise ApiError(413, f"a message has at most {MOST_MESSAGE_BYTES >> 20} MiB", code="request_too_large")
    return message


def client_of(request: Request) -> str:
    """The client's name, which keeps its handles apart from those of other clients.

    Raises:
        ApiError: the name is invalid.
    """
    name: str = request.headers.get(CLIENT_HEADER, "")
    if name and not _CLIENT_NAME.fullmatch(name):
        raise ApiError(400, f"{CLIENT_HEADER} is 1 to 64 letters, digits and . _ -", code="invalid_header")
    return name


class MessageGate:
    """Decides which messages pass.

    Attributes:
        is_open: every message passes.
    """

    def __init__(self, gateway: Gateway) -> None:
        options = gateway.options
        self.is_open = options.has_raw_rpc
        self._login = LoginCheck(gateway.settings, options.cwd)
        self._rights = ClientRights(os.path.realpath(options.cwd), options.may_write)

    async def let_through(self, message: Message) -> Message:
        """The message as it is to be sent.

        Raises:
            ApiError: it may not be sent.
            CodexServerError: it starts a turn, and no login may pay for it.
        """
        if self.is_open:
            if rpc.message_type(message) is rpc.MessageType.INVALID:
                raise ApiError(400, "a message has a `method` (text), or is a reply", code="invalid_message")
            return message
        admitted = admit(await _with_real_directory(message), self._rights)
        if not isinstance(admitted, Refused):
            if admitted.get("method") in TURN_STARTERS:
                await self._login.check()
            return admitted
        if admitted.is_malformed:
            raise ApiError(400, admitted.message, code="invalid_message")
        raise ApiError(403, admitted.message, type="permission_error", code="not_let_through")


async def _with_real_directory(message: Message) -> Message:
    """A `thread/start` with a resolved working directory: a symlink could lead out of where turns may write.

    Raises:
        ApiError: there is no such directory; Codex would not report it.
    """
    cwd = rpc.at(message, "params.cwd", str)
    if message.get("method") != "thread/start" or cwd is None or not cwd.startswith("/"):
        return message
    real = await to_thread.run_sync(_real_directory, cwd)
    return {**message, "params": {**message["params"], "cwd": real}}


def _real_directory(cwd: str) -> str:
    try:
        real = Path(cwd).resolve(strict=True)
        is_directory = real.is_dir()
    except (OSError, ValueError, RuntimeError):  # missing, not accessible, a NUL byte, a loop of links
        is_directory = False
    if not is_directory:
        raise ApiError(
            400, "`cwd` of thread/start names no directory of this machine", code="no_directory", param="cwd"
        )
    return str(real)
