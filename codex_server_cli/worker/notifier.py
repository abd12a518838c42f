"""The process that runs a user's `--notify` command for one event, with a JSON document on its standard input.

Owns the document, how the command is run and for how long, and where its output goes. A worker starts it (`notify`)
and does not wait for it; its stderr is `worker.log`. The command does not have the turn's mark, so that a turn that it
starts is not nested. No shell is run unless the user named one. Must never import typer or rich.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from codex_server_cli.core.command_line import split_command
from codex_server_cli.core.documents import turn as turn_documents
from codex_server_cli.core.model.bell import Bell, read_bell
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.result.plain_log import PlainLog
from codex_server_cli.disk.files import read_json, write_json
from codex_server_cli.disk.turn.contents import requests_in
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.reader import TurnReader
from codex_server_cli.disk.turn.writer import now
from codex_server_cli.settings.environment import told_environment
from codex_server_cli.worker.cleanup.dead_worker import clean_up
from codex_server_cli.worker.log import say, write_log

TIMEOUT_S = 60.0
_POLL_S = 0.1
_LOG_BYTES = 16 * 1024
_READ_BYTES = 1 << 16


def main() -> None:
    """Entry point of the process; `sys.argv`: the turn's directory, the event, and the request of an attention."""
    path, event, *request_ids = sys.argv[1:]
    turn = TurnDir(Path(path))
    view = TurnReader(clean_up).view(turn)
    command = (view.meta.get("request") or {}).get("notify")
    if command is None:  # the turn was deleted
        return
    if event == "end":
        document = turn_documents.status_with_answer(view, is_full=True)
    else:
        pending = [turn_documents.approval_request(turn.turn_id, entry, is_full=True) for entry in requests_in(turn)]
        if view.state is not State.RUNNING or all(entry.get("id") not in request_ids for entry in pending):
            say(f"notify: request {request_ids[0]} was decided before the command was told")
            return
        document = {**turn_documents.full_status(view), "request": request_ids[0], "pending": pending}
    payload: dict[str, Any] = {"version": turn_documents.VERSION, "turn_id": turn.turn_id, "event": event, **document}
    data = turn_documents.dump(payload, is_indented=False).encode() + b"\n"
    run = begin(turn.path, event, request_ids[0] if request_ids else None)
    words = split_command(command, "notify")
    bell = read_bell(words)
    # It runs in the turn's directory: in the project a program might load the project's files.
    note(turn.path, ring(bell, run) if bell is not None else run_command(words, data, turn.path, run))


class NotifyRun(NamedTuple):
    """The state of one run of the command: the content of `notify.json`.

    Attributes:
        event, request: the reason for the run.
        started_at, ended_at: RFC 3339 UTC; without an end it still runs, or its notifier was killed.
        exit_code, signal: how it ended.
        problem: why it did not run, or was killed, as text.
    """

    event: str
    request: str | None
    started_at: str
    ended_at: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    problem: str | None = None


def begin(turn_path: Path, event: str, request_id: str | None) -> NotifyRun:
    """A run that begins now, recorded in the turn's directory."""
    run = NotifyRun(event, request_id, now())
    note(turn_path, run)
    return run


def note(turn_path: Path, run: NotifyRun) -> None:
    """Record a run in `notify.json`, unless it already has one that began later.

    Only notifiers write that file, because they run after the turn's lock is released.
    """
    path = TurnDir(turn_path).notify
    try:
        if str((read_json(path) or {}).get("started_at") or "") <= run.started_at:
            write_json(path, {"version": 1, **run._asdict()})
    except OSError as error:  # deleted, or a full disk: the command runs anyway
        say(f"notify: how it went cannot be kept: {error}")


def run_command(argv: list[str], data: bytes, cwd: Path, run: NotifyRun, timeout_s: float = TIMEOUT_S) -> NotifyRun:
    """Run the user's command to its end, or kill it. Runs in the notifier.

    The beginning of its output is logged in `worker.log`, and so is a non-zero exit.

    Args:
        argv: the program and its arguments.
        data: its standard input; a file, so that it need not read it.
        cwd: its working directory.
        run: the run, without its end.
        timeout_s: after this time it is killed, with its process group.

    Returns:
        The run, with its end.
    """
    try:
        with _anonymous_file() as document:
            document.write(data)
            document.seek(0)
            process = subprocess.Popen(
                argv,
                stdin=document,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=told_environment(),
                start_new_session=True,
            )
    except OSError as error:
        say(f"notify: {argv[0]} cannot be run: {error.strerror}")
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
        say(f"notify: {argv[0]} was {problem}")
    elif code != 0:
        say(f"notify: {argv[0]} ended with {f'exit code {code}' if code > 0 else f'signal {-code}'}")
    run = run._replace(ended_at=now(), problem=problem)
    return run._replace(exit_code=code) if code >= 0 else run._replace(signal=-code)


def ring(bell: Bell, run: NotifyRun) -> NotifyRun:
    """Ring the bell of the terminal that started the turn, if that still exists; never blocks.

    Returns:
        The run, with its end.
    """
    problem = None
    try:
        with contextlib.ExitStack() as stack:
            fd = os.open(bell.path, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
            stack.callback(os.close, fd)
            found = os.fstat(fd)
            if stat.S_ISCHR(found.st_mode) and (found.st_rdev, found.st_uid) == (bell.device, bell.owner):
                os.write(fd, b"\a")
            else:
                problem = f"{bell.path} is another terminal now"
    except OSError as error:  # it is closed, or its output is stopped
        problem = f"{bell.path} cannot be rung: {error.strerror}"
    if problem is not None:
        say(f"notify: {problem}")
    return run._replace(ended_at=now(), problem=problem)


def _anonymous_file() -> BinaryIO:
    """A file without a name, which is deleted when it is closed.

    In memory where the system supports that: a full disk is one of the failures that a command is run for.

    Raises:
        OSError: it cannot be created.
    """
    try:
        return os.fdopen(os.memfd_create("notify"), "w+b")
    except (AttributeError, OSError):  # not Linux, or not permitted
        import tempfile

        return tempfile.TemporaryFile()


def _log_output(process: subprocess.Popen[bytes], deadline: float) -> None:
    """Log the beginning of a command's output and drop the rest, until EOF, its exit, or the deadline.

    Its exit counts as well as EOF: a process that it left in the background may hold its output open.
    """
    assert process.stdout is not None
    fd, plain, room = process.stdout.fileno(), PlainLog(), _LOG_BYTES
    while True:
        rest_s = max(0.0, deadline - time.monotonic()) if process.poll() is None else 0.0
        if not select.select([fd], [], [], min(rest_s, _POLL_S))[0]:
            if not rest_s:
                return
            continue
        piece = os.read(fd, _READ_BYTES)
        kept, room = piece[:room], max(0, room - len(piece))
        write_log(plain.feed(kept))
        if not piece or not (rest_s or room):
            return
