"""One generation of the shared app-server: its process, its socket path, when it accepts. Runs in the keeper.

Each generation has its own socket path: the old one keeps its path while it drains, and an existing path is never
reused. Must import next to nothing, and never start a shell.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

from codex_server_cli.codex.server.keeper.server_log import ServerLog
from codex_server_cli.codex.server.mark import set_mark
from codex_server_cli.codex.server.process import can_connect, start_ticks
from codex_server_cli.settings.environment import inherited_environment

_POLL_S = 0.005
_LISTENING = "listening on: "
_VERSION_S = 5.0
_MOST_VERSION_BYTES = 1000
_VERSION_CHARS = frozenset("0123456789.-+abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_ENDING = frozenset({signal.SIGTERM, signal.SIGINT})
_PR_SET_CHILD_SUBREAPER = 36
UNLOAD_FLAGS = ("-c", "thread_unload_delay_secs=1")
"""Not 0: a connection that is lost right after `turn/start` would then end the turn (transport notes, section 3.2)."""


def prctl(option: int, value: int) -> bool:
    """Set an attribute of this process; False where the kernel is not Linux, or refuses."""
    if sys.platform != "linux":
        return False
    import ctypes

    return bool(ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) == 0)


def become_subreaper() -> None:
    """Become the parent of orphans among our descendants: a command with an emptied environment can only be found as
    our child."""
    prctl(_PR_SET_CHILD_SUBREAPER, 1)


def next_number(directory: str, last: int) -> int:
    """The number of the next generation: after the last one, and without existing files."""
    number = last + 1
    while any(os.path.lexists(f"{directory}/g{number}.{suffix}") for suffix in ("sock", "clients", "told")):
        number += 1
    return number


def listening_at(words: str) -> str:
    """The address that an app-server on a TCP port has written to stderr; empty while that line is incomplete."""
    line, newline, _ = words.partition(_LISTENING)[2].partition("\n")
    return line.strip() if newline else ""


def asked_at(url: str, arguments: list[str]) -> list[str]:
    """The URL of an app-server on a TCP port, and the token file if any; empty where it needs a token that we lack.

    Args:
        arguments: those that it was started with.
    """
    files = [each.partition("=")[2] for each in arguments if each.startswith("--ws-token-file=")]
    has_auth = any(each.startswith("--ws-auth=") for each in arguments)
    return [url, *files] if files or not has_auth else []


def read_codex_version(codex: str) -> str:
    """The last word of `codex --version`; empty where it prints nothing in time."""
    reading, writing = os.pipe()
    try:
        pid = os.posix_spawn(
            codex,
            [codex, "--version"],
            inherited_environment(),
            file_actions=[(os.POSIX_SPAWN_DUP2, writing, 1), (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)],
        )
    except OSError:  # starting it as a server will report that
        os.close(reading)
        return ""
    finally:
        os.close(writing)
    deadline, data, has_ended = time.monotonic() + _VERSION_S, b"", False
    while not has_ended and len(data) < _MOST_VERSION_BYTES and (rest_s := deadline - time.monotonic()) > 0:
        if select.select([reading], [], [], rest_s)[0]:
            piece = os.read(reading, _MOST_VERSION_BYTES)
            data, has_ended = data + piece, not piece
    os.close(reading)
    if not has_ended:
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    words = data.decode("ascii", "replace").split()
    return words[-1] if words and _VERSION_CHARS.issuperset(words[-1]) else ""


class CodexServer:
    """A `codex app-server` that listens on a unix socket.

    Attributes:
        number: of its generation.
        socket_path: where it listens, unless its arguments name another place.
        url: where it listens instead, once it has reported that; else empty.
        pid: of its process, and its session id.
        start_ticks: when the process began; 0 where it ended at once.
        is_of_turns: whether it was started without further arguments. Only such a server has remote control, if on.
        exit_status: from `waitpid`; None while it runs. Set by the keeper, which reaps.
    """

    def __init__(self, codex: str, arguments: list[str], directory: str, number: int, log_fd: int) -> None:
        """Start it.

        Args:
            codex: the binary.
            arguments: further ones; `--listen=…` replaces the socket.
            directory: for its socket.
            number: of its generation.
            log_fd: for its stderr.

        Raises:
            OSError: no process.
        """
        self.number = number
        self.socket_path = f"{directory}/g{number}.sock"
        self.exit_status: int | None = None
        self.is_of_turns = not arguments
        self._is_elsewhere = any(argument.startswith("--listen=") for argument in arguments)
        self._arguments = arguments
        self.url = ""
        listen = [] if self._is_elsewhere else ["--listen", f"unix://{self.socket_path}"]
        command = [codex, "app-server", *listen, *UNLOAD_FLAGS, *arguments]
        self.pid = os.fork()  # posix_spawn cannot set the mark
        if self.pid == 0:
            _become(command, (directory, number), log_fd)
        self.start_ticks = start_ticks(self.pid) or 0

    @property
    def to_ask(self) -> list[str]:
        """The arguments of a process that sends it a query; none where that needs a token that we do not have."""
        return asked_at(self.url, self._arguments) if self._is_elsewhere else [self.socket_path]

    def accepts(self, words: str) -> bool:
        """Whether it accepts connections.

        Args:
            words: its stderr so far, where it prints the address of a TCP port.
        """
        if not self._is_elsewhere:
            return can_connect(self.socket_path)
        self.url = listening_at(words)
        return bool(self.url)

    def signal(self, signum: int) -> None:
        """Send it a signal, unless it was reaped: until then the pid cannot be another process's."""
        if self.exit_status is None:
            os.kill(self.pid, signum)

    def has_ended(self) -> bool:
        """Whether its process has ended; reaps it."""
        if self.exit_status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.exit_status = status if pid else None
        return self.exit_status is not None

    def exit_text(self) -> str:
        """How it ended, for people."""
        code = os.waitstatus_to_exitcode(self.exit_status or 0)
        return f"exit code {code}" if code >= 0 else f"signal {-code}"


def wait_until_it_accepts(server: CodexServer, log: ServerLog, timeout_s: float, wakeup_fd: int) -> bool:
    """Wait until a starting server accepts; on a unix socket it prints nothing when it is ready.

    Returns:
        Whether it accepts; False where its process ended, we got a signal, or the timeout passed.
    """
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if server.accepts(log.tail()):
            return True
        if server.has_ended():
            return False
        if select.select([wakeup_fd], [], [], _POLL_S)[0] and _ENDING.intersection(os.read(wakeup_fd, 512)):
            return False
    return False


def _become(command: list[str], mark: tuple[str, int], log_fd: int) -> None:
    """Become codex, in the forked child. Never returns.

    Without PR_SET_PDEATHSIG: a signal at the keeper's death would be the second one to a draining server.
    """
    try:
        os.setsid()
        set_mark(*mark)
        for signum in (signal.SIGPIPE, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(signum, signal.SIG_DFL)
        null = os.open(os.devnull, os.O_RDWR)
        for fd, number in ((null, 0), (null, 1), (log_fd, 2)):
            os.dup2(fd, number)
        os.execv(command[0], command)
    except OSError as error:
        os.write(2, f"codex cannot be started: {error.strerror}\n".encode())
    finally:
        os._exit(127)
