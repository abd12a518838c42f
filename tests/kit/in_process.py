"""A command in the test's own process: the application object, with the environment and the streams of a user.

For error texts, refusals, lists and documents: an interpreter for each would cost fifty times as much. Never for what
belongs to a process: its start, its signals, its death, a worker of its own. Nothing that a command changes here
outlives the call.
"""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import sys
import termios
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from codex_server_cli.cli import app
from codex_server_cli.cli.entry import STARTING_VERBS
from codex_server_cli.settings.environment import make_paths_absolute
from codex_server_cli.worker.launch import Launch
from tests.kit.command_run import Run
from tests.kit.console import COLUMNS

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM, signal.SIGCHLD, signal.SIGWINCH)
_ROOM_IN_A_PIPE = 1 << 16


class CapturedLaunch(Launch):
    """In place of a worker: keeps the prompts that commands hand over.

    Attributes:
        prompts: of each turn that would have been started.
    """

    def __init__(self) -> None:
        super().__init__()
        self.prompts: list[str] = []

    def hand_over(self, turns_path: Path, prompt: str, meta: dict[str, Any], *more: Any) -> tuple[str, bool]:
        """Start nothing."""
        self.prompts.append(prompt)
        return f"20261120-165501-482-{len(self.prompts):04x}", False


class _NoTurn(Launch):
    def hand_over(self, *given: Any, **more: Any) -> tuple[str, bool]:
        raise AssertionError("a turn would have been started")  # the command reports it as a defect


def call(
    *arguments: str | bytes,
    env: Mapping[str, str],
    cwd: Path | int,
    stdin: bytes | int = b"",
    launch: Launch | None = None,
) -> Run:
    """Run `codex-server ARGUMENTS` here.

    Args:
        env: its whole environment.
        cwd: its directory, or an open descriptor of it.
        stdin: what a pipe holds, or an open descriptor.
        launch: what a starting verb hands its turn over to; by default nothing, as a command that is refused needs.
    """
    started = time.monotonic()
    with TemporaryFile() as stdout, TemporaryFile() as stderr:
        with _stdin(stdin) as fd:
            code = _run(arguments, env, cwd, (fd, stdout.fileno(), stderr.fileno()), launch)
        return Run(code, _text(stdout.fileno()), _text(stderr.fileno()), time.monotonic() - started)


def show(*arguments: str, env: Mapping[str, str], cwd: Path) -> str:
    """What a terminal shows of `codex-server ARGUMENTS`, as `console.type_in` does of a real command."""
    pieces: list[bytes] = []
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    reader = threading.Thread(target=_drain, args=(master, pieces))
    reader.start()
    try:
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123 — a device
            _run(arguments, {**env, "TERM": "dumb"}, cwd, (nothing.fileno(), slave, slave), None)
    finally:
        os.close(slave)
        reader.join()
        os.close(master)
    return b"".join(pieces).decode().replace("\r\n", "\n")


def _drain(fd: int, pieces: list[bytes]) -> None:
    with suppress(OSError):  # EIO: the other side is closed
        while piece := os.read(fd, 1 << 16):
            pieces.append(piece)


def _run(
    arguments: Sequence[str | bytes],
    env: Mapping[str, str],
    cwd: Path | int,
    streams: tuple[int, int, int],
    launch: Launch | None,
) -> int:
    words = [os.fsdecode(each) for each in arguments]
    worker = (launch or _NoTurn()) if words and words[0] in STARTING_VERBS else None
    with _restored_signals(), _in(cwd, env), _streams(streams):
        make_paths_absolute()
        return int(app.run(words, worker))


@contextmanager
def _stdin(given: bytes | int) -> Iterator[int]:
    if isinstance(given, int):
        yield given
        return
    data = given
    assert len(data) <= _ROOM_IN_A_PIPE, "it would not fit into a pipe that is not read yet"
    reading, writing = os.pipe()
    try:
        os.write(writing, data)
        os.close(writing)
        yield reading
    finally:
        os.close(reading)


@contextmanager
def _streams(fds: Sequence[int]) -> Iterator[None]:
    """Make these the standard streams, below Python and in it."""
    before = sys.stdin, sys.stdout, sys.stderr
    for stream in before[1:]:
        stream.flush()
    saved = [os.dup(number) for number in range(3)]
    try:
        for number, fd in enumerate(fds):
            os.dup2(fd, number)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 — closed below
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        try:
            yield
        finally:
            for stream in (sys.stdin, sys.stdout, sys.stderr):
                stream.close()
    finally:
        sys.stdin, sys.stdout, sys.stderr = before
        for number, fd in enumerate(saved):
            os.dup2(fd, number)
            os.close(fd)


@contextmanager
def _in(cwd: Path | int, env: Mapping[str, str]) -> Iterator[None]:
    here, environment = os.open(".", os.O_RDONLY), dict(os.environ)
    try:
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(env)
        yield
    finally:
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(here)
        os.close(here)


@contextmanager
def _restored_signals() -> Iterator[None]:
    """Restore handlers and the alarm clock: it is that of pytest's timeout, and a command that waits sets its own."""
    handlers = {signum: signal.getsignal(signum) for signum in _SIGNALS}
    clock = signal.getitimer(signal.ITIMER_REAL)
    try:
        yield
    finally:
        for signum, handler in handlers.items():
            signal.signal(signum, handler)
        signal.setitimer(signal.ITIMER_REAL, *clock)


def _text(fd: int) -> str:
    return os.pread(fd, os.fstat(fd).st_size, 0).decode()
