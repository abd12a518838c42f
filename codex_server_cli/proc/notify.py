"""A command of the user's own that is told of a turn's end, and of each request that waits for somebody (`--notify`).

Owns how it is run, for how long, and what becomes of its words; what it is told is the face's (`cli.notifier`). The
worker starts that notifier and goes on at once; the notifier runs the command and sees it ended. Both live outside of
the turn: the mark that a notifier bears is no turn's, so no sweep touches it or what is below it, and the command
itself bears none, so that a turn which it starts is no nested one. No shell is ever run but one that the user named.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from codex_server_cli.core.plain_log import PlainLog
from codex_server_cli.disk.files import read_json, write_json
from codex_server_cli.disk.publish import now
from codex_server_cli.disk.turn_dir import TurnDir
from codex_server_cli.proc.worker_log import LOG_FD, say
from codex_server_cli.settings.environment import interpreter, notifier_environment, told_environment

if TYPE_CHECKING:
    import selectors
    import subprocess

TIMEOUT_S = 60.0
_LOOK_S = 0.1
_LOG_BYTES = 16 * 1024
_READ_BYTES = 1 << 16
_CODE = "from codex_server_cli.cli.notifier import main; main()"


class Notifier:
    """Starts the notifiers of one turn. Runs in the worker; nothing here waits, and nothing fails.

    Args:
        command: the user's command line, which the notifier reads in `meta.json`; None where there is none to run.
    """

    def __init__(self, turn_path: Path, command: str | None) -> None:
        self._turn_path = turn_path
        self._has_command = command is not None

    def attention(self, request_id: str) -> None:
        """A request has begun to wait for a person; `pending.json` has it."""
        self._start("attention", request_id)

    def end(self) -> None:
        """The end of the turn is published, and its lock has fallen."""
        self._start("end")

    def _start(self, *event: str) -> None:
        if not self._has_command:
            return
        try:
            os.posix_spawn(
                sys.executable,
                interpreter(_CODE, self._turn_path.name, *event),
                notifier_environment(self._turn_path.parents[1]),
                setsid=True,
                setsigdef=[signal.SIGHUP, signal.SIGINT, signal.SIGTERM],
                setsigmask=[],
            )
        except OSError as error:  # no process to spare: the turn goes on
            say(f"notify: cannot be started: {error}")
            event_name, *request_ids = event
            run = NotifyRun(event_name, request_ids[0] if request_ids else None, now())
            note(self._turn_path, run._replace(ended_at=run.started_at, problem=f"cannot be started: {error.strerror}"))


class NotifyRun(NamedTuple):
    """How a command that was told fares: the content of `notify.json`.

    Attributes:
        event, request: what it is told of.
        started_at, ended_at: RFC 3339 UTC; it runs while there is no end, or its notifier was killed.
        exit_code, signal: how it ended.
        problem: why it did not run, or not to its own end, in words.
    """

    event: str
    request: str | None
    started_at: str
    ended_at: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    problem: str | None = None


def begin(turn_path: Path, event: str, request_id: str | None) -> NotifyRun:
    """A run that begins now, noted in the turn's directory."""
    run = NotifyRun(event, request_id, now())
    note(turn_path, run)
    return run


def note(turn_path: Path, run: NotifyRun) -> None:
    """Keep how a command fares in `notify.json`, unless one that began later is told of there already.

    That file is the notifiers' own: they live on after the turn's lock has fallen, and nobody else writes it.
    """
    path = TurnDir(turn_path).notify
    try:
        if str((read_json(path) or {}).get("started_at") or "") <= run.started_at:
            write_json(path, {"version": 1, **run._asdict()})
    except OSError as error:  # deleted, or a full disk: the command itself comes first
        say(f"notify: how it went cannot be kept: {error}")


def run_command(words: list[str], data: bytes, cwd: Path, run: NotifyRun, timeout_s: float = TIMEOUT_S) -> NotifyRun:
    """Run the user's command to its end, or kill it. Runs in the notifier.

    What it says goes to `worker.log`, its beginning at least, and so does an end that was none of its best.

    Args:
        words: the program and its arguments.
        data: its standard input; it need not read it.
        cwd: where it runs.
        run: as it began.
        timeout_s: after that long it is killed, with all that it started in its process group.

    Returns:
        The run, with its end.
    """
    import subprocess

    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=told_environment(),
            start_new_session=True,
            bufsize=0,
        )
    except OSError as error:
        say(f"notify: {words[0]} cannot be run: {error.strerror}")
        return run._replace(ended_at=now(), problem=f"cannot be run: {error.strerror}")
    with process:
        is_over = _Dialogue(process, data).hold(time.monotonic() + timeout_s)
        if not is_over:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: a group of zombies refuses
                os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
    problem = None if is_over else f"killed after {timeout_s:g} s"
    if problem is not None:
        say(f"notify: {words[0]} was {problem}")
    elif code != 0:
        say(f"notify: {words[0]} ended with {f'exit code {code}' if code > 0 else f'signal {-code}'}")
    run = run._replace(ended_at=now(), problem=problem)
    return run._replace(exit_code=code) if code >= 0 else run._replace(signal=-code)


class _Dialogue:
    """What a command is told, and what it says, while it runs."""

    def __init__(self, process: subprocess.Popen[bytes], data: bytes) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._stdin, self._stdout = process.stdin, process.stdout
        self._unsent = memoryview(data)
        self._room = _LOG_BYTES
        self._plain = PlainLog()

    def hold(self, deadline: float) -> bool:
        """Feed and hear the command until it ends; False where it has not by then.

        Its end is what counts, not that of its output: something that it left in the background may hold that open.
        """
        import selectors

        for stream in (self._stdin, self._stdout):
            os.set_blocking(stream.fileno(), False)
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdin, selectors.EVENT_WRITE)
            selector.register(self._stdout, selectors.EVENT_READ)
            while (is_running := self._process.poll() is None) and time.monotonic() < deadline:
                for key, _ in selector.select(_LOOK_S):
                    self._go_on(key.fileobj, selector)
        while not is_running and self._hear():
            pass
        return not is_running

    def _go_on(self, stream: object, selector: selectors.BaseSelector) -> None:
        if stream is self._stdin:
            self._feed()
            if not self._unsent:
                selector.unregister(self._stdin)
                self._stdin.close()  # the end of it is what most commands wait for
        elif self._hear() == b"":
            selector.unregister(self._stdout)

    def _feed(self) -> None:
        try:
            self._unsent = self._unsent[os.write(self._stdin.fileno(), self._unsent) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # it does not want to know
            self._unsent = self._unsent[:0]

    def _hear(self) -> bytes | None:
        """The next piece of output; empty at its end, None where there is nothing yet."""
        try:
            piece = os.read(self._stdout.fileno(), _READ_BYTES)
        except BlockingIOError:
            return None
        kept, self._room = piece[: self._room], max(0, self._room - len(piece))
        with contextlib.suppress(OSError):
            os.write(LOG_FD, self._plain.feed(kept))
        return piece
