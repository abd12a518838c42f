"""Finding the shared app-server, or starting it. Runs in a worker, and in verbs.

Fifty concurrent clients start only one: one of them gets the lock of its directory and passes it to the keeper that it
starts; the others wait until that keeper publishes the server. Must import next to nothing before a turn needs it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import sys
import time
from pathlib import Path

from codex_server_cli.codex.server.key import ServerKey, binary_stamp, login_of
from codex_server_cli.codex.server.process import can_connect
from codex_server_cli.codex.server.retiring import clean_up_killed_keepers, retire
from codex_server_cli.codex.server.state import (
    CURRENT,
    Generation,
    Lease,
    directory_of,
    read_generation,
)
from codex_server_cli.settings.config import DEFAULT_SERVER_IDLE_S
from codex_server_cli.settings.environment import interpreter, server_environment

TYPE_CHECKING = False  # typing itself takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Generation", "Lease", "ensure_shared", "find_shared", "put_away", "replace_shared", "retire"]

_CODE = "import gc; gc.set_threshold(100_000); from codex_server_cli.codex.server.keeper.main import main; main()"
_POLL_S = 0.005
_LONGEST_POLL_S = 0.05
_ABOVE_STDIO = 10
_LOCK_FD = 3
_ASK_S = 2.0


def find_shared(home: Path, key: ServerKey) -> Generation | None:
    """The generation that a turn may use now; None where none runs, or it is outdated. Starts and locks nothing.

    Args:
        home: `$CODEX_SERVER_HOME`.
        key: of the server.
    """
    found = read_generation(f"{directory_of(home, key.name)}/{CURRENT}")
    return found if found is not None and _is_usable(found, key) else None


def ensure_shared(
    home: Path,
    key: ServerKey,
    *,
    idle_s: float = DEFAULT_SERVER_IDLE_S,
    timeout_s: float = 30.0,
    doubted: Generation | None = None,
    should_give_up: Callable[[], bool] | None = None,
) -> Generation:
    """The same, started where needed. An outdated generation is made to drain: it finishes its turns.

    Args:
        idle_s: how long a server that is started here runs without a client.
        timeout_s: how long to wait for a start.
        doubted: a generation that may be draining, which cannot be seen from outside: it is asked.
        should_give_up: called repeatedly during a start. The start itself continues: others may wait for it.

    Raises:
        CodexMissingError: codex cannot be run, or does not start as a server.
        ServerError: it did not accept in time, or the wait was given up.
        HomeError: the directory cannot be written.
        BadInputError: Codex's home or configuration is broken.
        BusyError: no resources for a process.
    """
    deadline, pause_s = time.monotonic() + timeout_s, _POLL_S
    directory = directory_of(home, key.name)
    while True:
        found = read_generation(f"{directory}/{CURRENT}")
        if found is not None and found == doubted and not _drains(found):
            doubted = None
        if found is not None and found != doubted and _is_usable(found, key) and _accepts(found):
            return found
        try:
            lock_fd = _try_lock(directory)
        except OSError as error:
            from codex_server_cli.codex.server.start_error import unwritable  # long texts, rarely needed

            raise unwritable(f"{error.filename or directory}: {error.strerror}") from error
        if lock_fd is not None:
            started = _start(lock_fd, directory, key, (idle_s, deadline), should_give_up)
            if started is not None:
                return started
        elif found is not None and (found == doubted or not (_is_usable(found, key) and _accepts(found))):
            retire(found)
        _look_up(should_give_up)
        if time.monotonic() > deadline:
            from codex_server_cli.codex.server.start_error import late

            raise late(directory, timeout_s)
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, _LONGEST_POLL_S)


def replace_shared(
    home: Path, key: ServerKey, *, idle_s: float = DEFAULT_SERVER_IDLE_S, timeout_s: float = 30.0
) -> Generation:
    """Start the next generation, even if the present one is usable; that one finishes its turns.

    Raises:
        CodexServerError: see `ensure_shared`.
    """
    deadline = time.monotonic() + timeout_s
    old = find_shared(home, key)
    if old is not None and retire(old):
        while find_shared(home, key) == old and time.monotonic() < deadline:
            time.sleep(_POLL_S)
    return ensure_shared(home, key, idle_s=idle_s, timeout_s=max(deadline - time.monotonic(), 1.0))


def put_away(home: Path) -> None:
    """End and delete what killed generations have left, where no keeper runs."""
    for path in (home / "servers").glob("*"):
        try:
            lock_fd = _try_lock(str(path))
        except OSError:  # not ours to write
            continue
        if lock_fd is not None:
            try:
                clean_up_killed_keepers(str(path))
            finally:
                os.close(lock_fd)


def _is_usable(found: Generation, key: ServerKey) -> bool:
    return (
        found.is_alive()
        and found.is_kept()
        and found.binary == binary_stamp(key.codex)
        and found.login == login_of(key.codex_home)
        and (not found.socket_path or os.path.exists(found.socket_path))  # noqa: PTH110 — a cleaner of /tmp may delete it
    )


def _accepts(found: Generation) -> bool:
    return not found.socket_path or can_connect(found.socket_path)


def _drains(found: Generation) -> bool:
    from codex_server_cli.codex.server.draining import is_draining  # rarely needed

    return bool(found.socket_path) and is_draining(found.socket_path, _ASK_S)


def _look_up(should_give_up: Callable[[], bool] | None) -> None:
    if should_give_up is not None and should_give_up():
        from codex_server_cli.codex.server.start_error import given_up

        raise given_up()


def _try_lock(directory: str) -> int | None:
    """The lock of a server's directory, which is created if missing; None where it is held.

    Raises:
        OSError: it cannot be created.
    """
    servers = os.path.dirname(directory)  # noqa: PTH120
    for path in (os.path.dirname(servers), servers, directory):  # noqa: PTH120
        os.makedirs(path, 0o700, exist_ok=True)  # noqa: PTH103 — one by one: the mode applies only to the last
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    fd = os.open(f"{directory}/lock", flags, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    except OSError:
        os.close(fd)
        raise
    return fd


def _start(
    lock_fd: int,
    directory: str,
    key: ServerKey,
    times_s: tuple[float, float],
    should_give_up: Callable[[], bool] | None,
) -> Generation | None:
    """Start the next generation. The caller holds the lock, which passes to the keeper.

    Args:
        times_s: how long the server runs without a client, and until when it has to accept.

    Returns:
        The generation; None where it collided with another app-server at its start, so that a retry may succeed.

    Raises:
        CodexServerError: see `ensure_shared`.
    """
    idle_s, deadline = times_s
    try:
        clean_up_killed_keepers(directory)
        answer_fd = _spawn_keeper(lock_fd, directory, key, (idle_s, max(deadline - time.monotonic(), 0.1)))
    except OSError as error:
        from codex_server_cli.codex.server.start_error import no_process

        raise no_process(error) from error
    finally:
        os.close(lock_fd)  # from now on only the keeper holds it, so that its death releases it
    try:
        answer = _read_answer(answer_fd, deadline, should_give_up)
    finally:
        os.close(answer_fd)
    if answer.startswith("ready"):
        return read_generation(f"{directory}/{CURRENT}")
    head, _, words = answer.partition("\n")
    kind = head.removeprefix("failed ") if head.startswith("failed ") else ""
    from codex_server_cli.codex.server.start_error import raise_start_error

    raise_start_error(kind, words if kind else answer, key, directory)
    return None


def _spawn_keeper(lock_fd: int, directory: str, key: ServerKey, times_s: tuple[float, float]) -> int:
    """Start the keeper.

    Args:
        times_s: how long the server runs without a client, and how long it has to accept.

    Returns:
        The pipe with its answer.

    Raises:
        OSError: no process, or no descriptor.
    """
    facts = {
        "login": login_of(key.codex_home),
        "binary": binary_stamp(key.codex),
        "codex_home": key.codex_home,
        "codex": key.codex,
    }
    beginning = json.dumps(facts).removesuffix("}")
    reading, writing = os.pipe()
    high_fd = -1
    try:
        high_fd = fcntl.fcntl(lock_fd, fcntl.F_DUPFD_CLOEXEC, _ABOVE_STDIO)
        pid = os.posix_spawn(
            sys.executable,
            interpreter(_CODE, directory, key.codex, *map(repr, times_s), beginning, *key.extra),
            server_environment(may_bill_api_key=key.may_bill_api_key),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, writing, 1),
                (os.POSIX_SPAWN_DUP2, writing, 2),  # its stderr, in case it dies before it is ready
                (os.POSIX_SPAWN_DUP2, high_fd, _LOCK_FD),
            ],
            setsid=True,
            setsigdef=[signal.SIGINT, signal.SIGPIPE, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD],
            setsigmask=[],
        )
    except OSError:
        os.close(reading)
        raise
    finally:
        os.close(writing)
        if high_fd >= 0:
            os.close(high_fd)
    with contextlib.suppress(ChildProcessError):  # the kernel reaps where SIGCHLD is ignored
        os.waitpid(pid, 0)  # the keeper is its child
    return reading


def _read_answer(fd: int, deadline: float, should_give_up: Callable[[], bool] | None) -> str:
    data = b""
    while (rest_s := deadline - time.monotonic()) > 0:
        step_s = rest_s if should_give_up is None else min(rest_s, _LONGEST_POLL_S)
        if not select.select([fd], [], [], step_s)[0]:
            _look_up(should_give_up)
            continue
        piece = os.read(fd, 1 << 16)
        data += piece
        if not piece or (data.startswith(b"ready") and data.endswith(b"\n")):
            return data.decode("utf-8", "replace")
    return "failed silent\n"
