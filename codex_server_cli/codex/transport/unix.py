"""Connecting to an app-server through a unix socket. Owns where the socket really is, and the check of its owner.

Codex creates a link at the given path, and the socket in `/tmp/codex-daemon-UID`. In `/tmp` others can create a
directory of this name first (after a reboot, for instance) and wait for us behind a stale link.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import time
from _socket import AF_UNIX, SOCK_STREAM, socket  # the module around it takes 1 ms
from pathlib import Path

from codex_server_cli.codex.transport.handshake import Deadline, shown, silent, upgrade
from codex_server_cli.codex.transport.websocket import WebSocketLink
from codex_server_cli.core.model.server.address import DEFAULT_SOCKET
from codex_server_cli.errors import ServerError

_DAEMON_DIRECTORY = re.compile(r"(?:/private)?/tmp/codex-daemon-\d+")
_MOST_LINKS = 40
_BUSY_S = 0.005


def connect_unix(path: str, timeout_s: float) -> WebSocketLink:
    """Connect to the app-server that listens at a path, within `timeout_s`.

    Raises:
        ServerError: nothing listens, or it is no app-server.
    """
    deadline = Deadline(timeout_s)
    sock = open_socket(path, timeout_s)
    try:
        return WebSocketLink(sock, upgrade(sock, path, deadline), has_pings=False)
    except BaseException:
        sock.close()
        raise


def open_socket(path: str, timeout_s: float) -> socket:
    """A socket that is connected to a path, but not upgraded: closing it does not disturb the app-server.

    Raises:
        ServerError: nothing listens there.
    """
    deadline = Deadline(timeout_s)
    target = _target(path)
    sock = socket(AF_UNIX, SOCK_STREAM)
    try:
        _connect(sock, target, path, deadline)
    except BaseException:
        sock.close()
        raise
    return sock


def _target(path: str) -> str:
    """The path to connect to: the given one, or its target if that is shorter: the limit is 107 bytes.

    Raises:
        ServerError: the socket is where other users can create one.
    """
    named, real = Path(path), Path(os.path.realpath(path))
    for _ in range(_MOST_LINKS):
        if not os.path.islink(named):  # noqa: PTH114 — pathlib raises where we have no permission
            break
        named = named.parent / named.readlink()
    # The unresolved directory is checked, too: it may be a link that another user created.
    for directory in {named.parent, real.parent}:
        if _DAEMON_DIRECTORY.fullmatch(os.path.normpath(directory)):
            _check_daemon_directory(directory)
    return min(path, str(real), key=lambda each: len(os.fsencode(each)))


def _check_daemon_directory(directory: Path) -> None:
    """Check the owner and mode of the directory, as Codex does before it listens there.

    Raises:
        ServerError: another user could create a socket there.
    """
    try:
        found = directory.lstat()
    except OSError:  # reported by the connection
        return
    if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode):
        raise ServerError(
            f"the socket of Codex lies in {directory}, which belongs to another user",
            hint=f"Do not use it. Have {directory} removed by its owner or root, then start the app-server again.",
        )
    if stat.S_IMODE(found.st_mode) != 0o700:
        raise ServerError(
            f"the socket of Codex lies in {directory}, which others may enter (mode {stat.S_IMODE(found.st_mode):o})",
            hint=f"chmod 700 {directory}",
        )


def _connect(sock: socket, target: str, path: str, deadline: Deadline) -> None:
    while True:
        try:
            sock.settimeout(deadline.rest_s())
            sock.connect(target)
        except BlockingIOError:  # the backlog is full
            time.sleep(_BUSY_S)
        except TimeoutError as error:
            raise silent(path, deadline) from error
        except OSError as error:
            raise _no_connection(path, target, error) from error
        else:
            return


def _no_connection(path: str, target: str, error: OSError) -> ServerError:
    where, code = shown(path), error.errno
    if code is None and not os.path.lexists(target):  # Python checks the length of a path before its existence
        code = errno.ENOENT
    if code is None:
        return ServerError(
            f"the path of the socket is too long ({len(os.fsencode(target))} bytes; a client can name about 100)",
            hint="Make a link to it in a shorter place, and name the link: ln -s SOCKET /tmp/codex.sock",
        )
    if code == errno.ENOENT and os.path.islink(path):  # noqa: PTH114
        return ServerError(
            f"nothing listens at {where} any more: the socket that it leads to is gone", hint=_start_hint(path)
        )
    if code == errno.ENOENT:
        return ServerError(f"nothing listens at {where}: there is no such socket", hint=_start_hint(path))
    if code == errno.ECONNREFUSED and not Path(target).is_socket():
        return ServerError(f"{where} is no socket", hint="Name the socket that an app-server listens at.")
    if code == errno.ECONNREFUSED:
        return ServerError(f"nothing listens at {where} any more: its app-server has ended", hint=_start_hint(path))
    if code in (errno.EACCES, errno.EPERM):
        return ServerError(
            f"this user may not connect to {where}",
            hint="An app-server serves the user who started it: run this as that user, or start one of your own.",
        )
    return ServerError(f"{where} cannot be connected to: {os.strerror(code)}", hint="Name a socket that exists.")


def _start_hint(path: str) -> str:
    """The hint with the command that starts an app-server at a path; codex creates only the default directory."""
    import shlex  # for a text that is rarely needed

    command = f"codex app-server --listen unix://{shlex.quote(path)}"
    if path.endswith(f"/{DEFAULT_SOCKET}"):
        command = "codex app-server --listen unix://"
    elif not os.path.isdir(parent := Path(path).parent):  # noqa: PTH112
        command = f"mkdir -p -m 700 {shlex.quote(str(parent))} && {command}"
    return f"Start it: {command}; or have one of ours started: --server shared."
