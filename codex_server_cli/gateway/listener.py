"""The socket that `serve` listens on. Owns creating it, and its file. Must never take over a socket in use."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from codex_server_cli.errors import BadInputError, BusyError, HomeError, ServerError
from codex_server_cli.gateway.options import ServeOptions

BACKLOG = 1024
_DEAD_PEERS = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 60_000}
_MOST_FILES = 16_384
_MOST_CONNECTIONS = 4096
_FILES_OF_OURS = 128
_FILES_A_CONNECTION = 3
"""The client's own; for a WebSocket also the one to the app-server, and its lease."""


@contextmanager
def listening(options: ServeOptions) -> Iterator[tuple[socket.socket, str]]:
    """Listen until the context ends.

    Yields:
        The socket, and its address, for people and clients.

    Raises:
        BadInputError: it is not possible to listen there.
        BusyError: another process listens there.
        HomeError: the socket cannot be made.
    """
    if options.path is None:
        listener = _on_port(options.host or "", options.port or 0)
        with listener:
            host, port = listener.getsockname()[:2]
            yield listener, f"http://{f'[{host}]' if ':' in host else host}:{port}"
        return
    listener = _on_path(options.path)
    mark = os.lstat(options.path)
    with listener:
        try:
            yield listener, f"unix:{options.path}"
        finally:
            with contextlib.suppress(OSError):
                if os.path.samestat(mark, os.lstat(options.path)):
                    Path(options.path).unlink()


def raise_file_limit() -> int:
    """Raise this process's limit of open files to its maximum.

    Returns:
        How many connections that allows.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    files = _MOST_FILES if soft == resource.RLIM_INFINITY else soft
    return max(16, min(_MOST_CONNECTIONS, (files - _FILES_OF_OURS) // _FILES_A_CONNECTION))


def _on_port(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        # asyncio sets TCP_NODELAY only on a socket declared as TCP: otherwise small writes are delayed by 40 ms.
        listener = socket.socket(found[0], socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        message = f"--listen: {host} is no address of this machine: {error.strerror}"
        raise BadInputError(message, hint="Take one of its own, like 127.0.0.1.") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _notice_dead_peers(listener)
        listener.bind(found[4])
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _no_port(host, port, error) from error
    listener.setblocking(False)
    return listener


def _notice_dead_peers(listener: socket.socket) -> None:
    """Have the kernel close a connection whose peer has vanished after a minute (by default it takes hours).

    Until then the client's chat would run on and hold its slot. Accepted connections inherit the setting.
    """
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _DEAD_PEERS.items():
        if hasattr(socket, name):
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _no_port(host: str, port: int, error: OSError) -> BadInputError | BusyError:
    import errno

    if error.errno == errno.EADDRINUSE:
        return BusyError(f"the port {port} is taken: something else listens there", hint="Take another, or 0 for any.")
    if error.errno in (errno.EACCES, errno.EPERM):
        return BadInputError(f"this user may not listen on port {port}", hint="Take one from 1024 on.")
    message = f"cannot listen on {host}:{port}: {error.strerror}"
    return BadInputError(message, hint="Take an address of this machine, like 127.0.0.1.")


def _on_path(path: str) -> socket.socket:
    """Bind one at a time per directory: two gateways that find the same dead socket must not both replace it."""
    directory = os.path.dirname(path)  # noqa: PTH120
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        message = f"there is no directory {directory} for the socket: {error.strerror}"
        raise BadInputError(message, hint="Make it, for you alone (mode 0700).") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        _clear(path)
        return _bound(path)
    except OSError as error:
        hint = "Look at its directory's owner and its disk, or name another path."
        raise HomeError(f"cannot make the socket {path}: {error.strerror}", hint=hint) from error
    finally:
        os.close(fd)


def _clear(path: str) -> None:
    """Remove the socket of a gateway that was killed.

    Raises:
        BadInputError: the path is not a socket.
        BusyError: another process listens there.
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise BadInputError(f"{path} exists, and is no socket", hint="Name another path, or remove that first.")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)  # noqa: PTH108
            return
        except OSError as error:
            message = f"{path} is a socket that cannot be looked at: {error.strerror or error}"
            raise ServerError(message, hint="Name another path.") from error
    raise BusyError(f"another process listens at {path}", hint="Name another path, or end that process.")


def _bound(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listener.bind(path)
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(before)
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener
