"""Error messages for a shared app-server that did not start. Imported only in that case."""

from __future__ import annotations

import os
import re

from codex_server_cli.codex.binary import INSTALL_HINT
from codex_server_cli.codex.login import HOME_HINT
from codex_server_cli.codex.room import is_without_room, no_room
from codex_server_cli.codex.server.key import ServerKey
from codex_server_cli.core.result.failures import telling_line
from codex_server_cli.core.session.backoff import is_start_collision
from codex_server_cli.errors import (
    BadInputError,
    BusyError,
    CodexMissingError,
    CodexServerError,
    ErrorKind,
    HomeError,
    InternalError,
    ServerError,
)

_LOGS = "codex-server server logs"
_ITS_HOME = re.compile(r"^(?:Error: )?CODEX_HOME points to ", re.MULTILINE)
_CONFIGURATION = re.compile(r"[Ee]rror loading config")
_SOCKET_DIRECTORY = "socket directory must be a user-owned directory"
_IN_USE = "control socket is already in use"
"""By a server whose directory was deleted and recreated: the next attempt has the next number, and so another path."""
_SOCKET_PARENT = "socket parent must be owned"


def raise_start_error(kind: str, words: str, key: ServerKey, directory: str) -> None:
    """Raise the error for a keeper's failure; return where the start only collided with another app-server.

    Args:
        kind: from the keeper: `disk`, `room`, `exit`, `silent`; empty where it was killed.
        words: the details.

    Raises:
        CodexServerError: see `shared.ensure_shared`.
    """
    if kind == "exit" and (is_start_collision(words) or _IN_USE in words):
        return
    raise _error(kind, words, key, directory)


def _error(kind: str, words: str, key: ServerKey, directory: str) -> CodexServerError:
    line = telling_line(words) or "it printed nothing"
    if kind == "disk":
        return unwritable(words)
    if kind == "room":
        return no_process(OSError(11, words))
    if kind == "silent":
        return ServerError(f"the shared app-server did not accept a connection in time: {line}", hint=_LOGS)
    if kind != "exit":
        return InternalError(f"the keeper of the shared app-server could not start: {line}", hint=_LOGS)
    if not os.access(key.codex, os.X_OK):
        return CodexMissingError(f"{key.codex} cannot be run", hint=INSTALL_HINT)
    if _ITS_HOME.search(words):
        return BadInputError(line.removeprefix("Error: "), hint=HOME_HINT)
    if _CONFIGURATION.search(words):
        return BadInputError(f"Codex cannot load its configuration: {line}", hint="Fix it: no turn can start.")
    message = f"the shared app-server did not start: {line.removeprefix('Error: ')}"
    if _SOCKET_DIRECTORY in words:
        where = f"/tmp/codex-daemon-{os.getuid()}"
        return ServerError(message, hint=f"Make it yours alone: `chmod 700 {where}`, or move it away.")
    if _SOCKET_PARENT in words:
        return ServerError(message, hint=f"Others may write in the directories above {directory}: `chmod go-w` them.")
    return CodexMissingError(message, hint=_LOGS)


def unwritable(what: str) -> HomeError:
    """The error for a directory or file of the server that cannot be used."""
    hint = "Look at its owner and its disk, or set CODEX_SERVER_HOME to a directory of your own."
    return HomeError(f"cannot use {what}", hint=hint)


def no_process(error: OSError) -> CodexServerError:
    """The error for a system that cannot start a process."""
    if is_without_room(error):
        return no_room("the shared app-server could not start", error)
    return InternalError(f"the shared app-server could not start: {error.strerror}", hint="codex-server doctor")


def given_up() -> ServerError:
    """The error where the turn or command that asked for it is over."""
    return ServerError("the shared app-server was not waited for any longer")


def late(directory: str, timeout_s: float) -> BusyError:
    """The error where another client's start, or the end of an outdated generation, takes too long."""
    message = f"the shared app-server was not ready within {timeout_s:.0f} s"
    return BusyError(message, hint=f"{_LOGS}; its state is in {directory}", kind=ErrorKind.OVERLOADED)
