"""A command of the user's own that is told of a turn's end, and of each request that waits for somebody (`--notify`).

Owns how it is run, for how long, and what becomes of its words; what it is told is the face's (`cli.notifier`). The
worker starts that notifier and goes on at once; the notifier runs the command and sees it ended. Both live outside of
the turn: the mark that a notifier bears is no turn's, so no sweep touches it or what is below it, and the command
itself bears none, so that a turn which it starts is no nested one. No shell is ever run but one that the user named.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import BinaryIO, NamedTuple

from codex_server_cli.core.plain_log import PlainLog
from codex_server_cli.disk.files import read_json, write_json
from codex_server_cli.disk.publish import now
from codex_server_cli.disk.turn_dir import TurnDir
from codex_server_cli.proc.worker_log import LOG_FD, say, write
from codex_server_cli.settings.environment import interpreter, notifier_environment, told_environment

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
        data: its standard input, as a file that it need not read.
        cwd: where it runs.
        run: as it began.
        timeout_s: after that long it is killed, with all that it started in its process group.

    Returns:
        The run, with its end.
    """
    try:
        with _nameless_file() as document:
            document.write(data)
            document.seek(0)
            process = subprocess.Popen(
                words,
                stdin=document,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=told_environment(),
                start_new_session=True,
            )
    except OSError as error:
        say(f"notify: {words[0]} cannot be run: {error.strerror}")
        return run._replace(ended_at=now(), problem=f"cannot be run: {error.strerror}")
    problem, deadline = None, time.monotonic() + timeout_s
    with process:
        _log_output(process, deadline)
        try:
            code = process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            problem = f"killed after {timeout_s:g} s"
            with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: a group of zombies refuses
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
    if problem is not None:
        say(f"notify: {words[0]} was {problem}")
    elif code != 0:
        say(f"notify: {words[0]} ended with {f'exit code {code}' if code > 0 else f'signal {-code}'}")
    run = run._replace(ended_at=now(), problem=problem)
    return run._replace(exit_code=code) if code >= 0 else run._replace(signal=-code)


def _nameless_file() -> BinaryIO:
    """A file that is in no directory, and gone with whoever has it open.

    In memory where the system can do that: a full disk is one of the ends that a command is told of.

    Raises:
        OSError: there is no room for it.
    """
    try:
        return os.fdopen(os.memfd_create("notify"), "w+b")
    except (AttributeError, OSError):  # not Linux, or nobody is allowed to
        import tempfile

        return tempfile.TemporaryFile()


def _log_output(process: subprocess.Popen[bytes], deadline: float) -> None:
    """Log the beginning of what a command says and drop the rest, until it is silent for good, has ended, or is late.

    Its own end counts, too: something that it left in the background may hold its output open.
    """
    assert process.stdout is not None
    fd, plain, room = process.stdout.fileno(), PlainLog(), _LOG_BYTES
    while True:
        rest_s = max(0.0, deadline - time.monotonic()) if process.poll() is None else 0.0
        if not select.select([fd], [], [], min(rest_s, _LOOK_S))[0]:
            if not rest_s:
                return
            continue
        piece = os.read(fd, _READ_BYTES)
        kept, room = piece[:room], max(0, room - len(piece))
        write(LOG_FD, plain.feed(kept))
        if not piece or not (rest_s or room):
            return
