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
from typing import TYPE_CHECKING

from codex_server_cli.core.plain_log import PlainLog
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


def run_command(words: list[str], data: bytes, cwd: Path, timeout_s: float = TIMEOUT_S) -> None:
    """Run the user's command to its end, or kill it. Runs in the notifier.

    What it says goes to `worker.log`, its beginning at least, and so does an end that was none of its best.

    Args:
        words: the program and its arguments.
        data: its standard input; it need not read it.
        cwd: where it runs.
        timeout_s: after that long it is killed, with all that it started in its process group.
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
        return
    with process:
        is_over = _Dialogue(process, data).hold(time.monotonic() + timeout_s)
        if not is_over:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: a group of zombies refuses
                os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
    if not is_over:
        say(f"notify: {words[0]} was killed after {timeout_s:g} s")
    elif code != 0:
        say(f"notify: {words[0]} ended with {f'exit code {code}' if code > 0 else f'signal {-code}'}")


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
