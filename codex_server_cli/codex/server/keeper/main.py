"""The keeper: our parent process of the shared app-server, and its start. `keeping` is its main loop.

One keeper for each generation. It holds the lock of the server's directory from before its start (the client that
starts it takes the lock and passes it on) until its server takes no more turns: then the next client may start the next
generation beside it, while this one runs its last turns.

    SIGTERM   drain: no new turns; the server finishes the present ones and exits, and then the keeper exits
    SIGINT    end at once

If this process is killed, its parent makes the server drain (`stand_by`). Must stay small: it lives as long as the
server, and wakes up once a second. So it imports next to nothing; what needs more runs in a separate process.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

from codex_server_cli.codex.server.keeper import generations
from codex_server_cli.codex.server.keeper.generations import CodexServer
from codex_server_cli.codex.server.keeper.keeping import Keeping
from codex_server_cli.codex.server.keeper.server_log import ServerLog
from codex_server_cli.codex.server.keeper.stand_by import stand_by
from codex_server_cli.codex.server.process import boot_id, start_ticks

LOCK_FD = 3
"""The descriptor on which we inherit the lock."""


class _NotStartedError(Exception):
    """The server cannot be started, or does not accept.

    Args:
        kind: one of those of `start_error`.
        words: details as text.
    """

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.kind, self.words = kind, words


def main() -> None:
    """Entry point of the keeper's process: `DIRECTORY CODEX IDLE_S READY_S FACTS [ARGUMENT…]`.

    `READY_S` is how long the server has to accept. `FACTS` is the beginning of `server.json`, a JSON object without its
    closing brace. Standard output is a pipe to the client that starts us: one line, `ready N` or `failed KIND`, then
    details of the failure.
    """
    directory, codex, idle_s, ready_s, facts, *arguments = sys.argv[1:]
    if _fork():
        os._exit(0)  # so that we are no child of a long-lived client, which would leave us a zombie
    os.chdir("/")
    os.set_inheritable(LOCK_FD, False)
    generations.become_subreaper()
    if keeper_pid := _fork():
        stand_by(keeper_pid, directory, LOCK_FD)
        os._exit(0)
    generations.become_subreaper()  # a fork does not inherit that
    wakeup_fd = _signals_into_a_pipe()
    try:
        keeping = _start(directory, codex, arguments, (float(idle_s), float(ready_s)), wakeup_fd)
    except _NotStartedError as error:
        _tell(f"failed {error.kind}\n{error.words}")
        os._exit(1)
    try:
        _publish(keeping, facts, generations.read_codex_version(codex))
    except OSError as error:
        _tell(f"failed disk\n{directory}/server.json: {error.strerror}")
    else:
        keeping.keep()
    finally:
        keeping.clean_up()
    os._exit(0)


def _start(directory: str, codex: str, arguments: list[str], times_s: tuple[float, float], wakeup_fd: int) -> Keeping:
    """Start the server, and wait until it accepts.

    Args:
        times_s: how long it runs without a client, and how long it has to accept.

    Raises:
        _NotStartedError: it does not; nothing is left behind.
    """
    try:
        log = ServerLog(f"{directory}/server.log")
        number = _take_number(directory)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        clients_fd = os.open(f"{directory}/g{number}.clients", flags, 0o600)
    except OSError as error:
        raise _NotStartedError("disk", f"{error.filename or directory}: {error.strerror}") from error
    try:
        server = CodexServer(codex, arguments, directory, number, log.fd)
    except OSError as error:
        os.unlink(f"{directory}/g{number}.clients")  # noqa: PTH108
        raise _NotStartedError("room", error.strerror or str(error)) from error
    keeping = Keeping(directory, server, log, times_s[0], (LOCK_FD, clients_fd, wakeup_fd))
    if generations.wait_until_it_accepts(server, log, times_s[1], wakeup_fd):
        return keeping
    kind = "silent" if server.exit_status is None else "exit"
    keeping.clean_up()
    raise _NotStartedError(kind, log.tail())


def _take_number(directory: str) -> int:
    """The generation's number, stored in the lock file, so that it is never used twice."""
    text = os.pread(LOCK_FD, 20, 0).strip()
    number = generations.next_number(directory, int(text) if text.isdigit() else 0)
    os.pwrite(LOCK_FD, b"%-20d\n" % number, 0)
    return number


def _publish(keeping: Keeping, facts: str, version: str) -> None:
    """Let clients find the server, answer the one that waits, and close its pipe.

    Raises:
        OSError: the record cannot be written.
    """
    server, now = keeping.server, time.time()
    started_at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
    keeping.record(
        f'{facts}, "number": {server.number}, "url": "{server.url}", "pid": {server.pid}, '
        f'"start_ticks": {server.start_ticks}, "boot_id": "{boot_id()}", '
        f'"keeper_pid": {os.getpid()}, "keeper_start_ticks": {start_ticks(os.getpid())}, '
        f'"codex_version": "{version}", "started_at": "{started_at}"}}\n'
    )
    keeping.log.say(f"generation {server.number} accepts: codex {version or '?'}, pid {server.pid}")
    _tell(f"ready {server.number}\n")
    null = os.open(os.devnull, os.O_RDWR)
    for fd, number in ((null, 0), (null, 1), (keeping.log.fd, 2)):
        os.dup2(fd, number)
    os.close(null)


def _fork() -> int:
    """As `os.fork`; where no process can be made, report that to the client and exit."""
    try:
        return os.fork()
    except OSError as error:
        _tell(f"failed room\n{error.strerror}")
        os._exit(1)


def _tell(text: str) -> None:
    """Answer the client; one that was killed meanwhile reads no answer."""
    with contextlib.suppress(OSError):
        os.write(1, text.encode("utf-8", "replace"))


def _signals_into_a_pipe() -> int:
    """Have each signal write a byte to a pipe, for `select`.

    Returns:
        The reading end.
    """
    reading, writing = os.pipe()
    for fd in (reading, writing):
        os.set_blocking(fd, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(signum, lambda *_: None)
    for signum in (signal.SIGHUP, signal.SIGPIPE):
        signal.signal(signum, signal.SIG_IGN)
    return reading
