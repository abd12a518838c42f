"""The process that tells a user's `--notify` command of one event: a JSON document on its standard input.

Owns what is told, how the command is run and for how long, and what becomes of its output. A worker starts it
(`notify`) and does not wait for it; its stderr is `worker.log`. The command bears no mark of a turn, so that a turn
which it starts is no nested one. No shell is run but one that the user named. Must never import typer or rich.
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
from typing import Any, BinaryIO, NamedTuple

from codex_server_cli.core.command_line import split_command
from codex_server_cli.core.documents import turn as turn_documents
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
_LOOK_S = 0.1
_LOG_BYTES = 16 * 1024
_READ_BYTES = 1 << 16


def main() -> None:
    """Entry point of the process; `sys.argv` is the turn's directory, the event, and of an attention the request."""
    path, event, *request_ids = sys.argv[1:]
    turn = TurnDir(Path(path))
    view = TurnReader(clean_up).view(turn)
    command = (view.meta.get("request") or {}).get("notify")
    if command is None:  # the turn was deleted
        return
    if event == "end":
        document = turn_documents.status_with_answer(view)
    else:
        pending = [turn_documents.approval_request(turn.turn_id, entry) for entry in requests_in(turn)]
        if view.state is not State.RUNNING or all(entry.get("id") not in request_ids for entry in pending):
            say(f"notify: request {request_ids[0]} was decided before the command was told")
            return
        document = {**turn_documents.status(view), "request": request_ids[0], "pending": pending}
    told: dict[str, Any] = {"version": 1, "turn_id": turn.turn_id, "event": event, **document}
    data = turn_documents.dump(told, is_indented=False).encode() + b"\n"
    run = begin(turn.path, event, request_ids[0] if request_ids else None)
    # In the turn's directory: not in the project, whose files a program might take for its own.
    note(turn.path, run_command(split_command(command, "notify"), data, turn.path, run))


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
        write_log(plain.feed(kept))
        if not piece or not (rest_s or room):
            return
