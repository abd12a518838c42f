"""The worker's loop: one turn from its first byte to its marker. Owns the order in which a `Step` is carried out.

Runs in the worker, in one thread, around one selector. The session decides, the writer writes, the app-server runs;
this file only carries between them. Signals are recorded and acted upon in the loop.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any

from codex_server_cli import __version__
from codex_server_cli.core.events import replay
from codex_server_cli.core.exchange import Step
from codex_server_cli.core.failures import KINDS_EXPLAINED_BY_STDERR, kind_of_exit, make_error
from codex_server_cli.core.outcome import Cause, Outcome, decide
from codex_server_cli.core.record import TurnRecord
from codex_server_cli.core.request import TurnRequest
from codex_server_cli.core.session import Session
from codex_server_cli.core.turn import TurnError
from codex_server_cli.disk import inbox
from codex_server_cli.disk.files import read_json
from codex_server_cli.disk.publish import TurnWriter
from codex_server_cli.disk.turn_dir import TurnDir
from codex_server_cli.errors import ErrorKind
from codex_server_cli.proc.app_server import AppServer
from codex_server_cli.proc.live import LiveFile
from codex_server_cli.proc.sweep import become_subreaper, sweep

_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)
_LOOK_INTERVAL_S = 2.0
"""How often the directory is looked for where nothing else happens."""
_EPOCH_MS = (time.time() - time.monotonic()) * 1000


def run_turn(directory: TurnDir) -> None:
    """Drive the turn of a directory to its marker. Our own defects end it too, as kind `internal`."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    writer = TurnWriter(directory)
    meta = read_json(directory.meta) or {"version": 1, "turn_id": directory.turn_id}
    request = TurnRequest.from_json(meta["request"], directory.turn_id)
    try:
        outcome = _drive(directory, writer, meta, request)
    except Exception as error:
        _log_traceback()
        outcome = _outcome_of_defect(directory, request, error)
    try:
        sweep(directory.turn_id, is_worker=True)
    except Exception:  # something left running is bad; an end that nobody learns of would be worse
        _log_traceback()
    if directory.path.is_dir():
        writer.finish(outcome, meta)
    writer.close()


def _log_traceback() -> None:
    import traceback  # 2 ms that no turn without a defect needs

    traceback.print_exc()  # our stderr is worker.log


def _outcome_of_defect(directory: TurnDir, request: TurnRequest, error: Exception) -> Outcome:
    """What was received counts all the same: the log of events tells it, whatever state we are in."""
    try:
        record, _ = replay(directory.events.read_bytes())
    except OSError:
        record = TurnRecord()
    is_disk = isinstance(error, OSError) and error.errno in _DISK_ERRORS
    kind = ErrorKind.DISK if is_disk else ErrorKind.INTERNAL
    message = f"{type(error).__name__}: {error}"
    return decide(record, Cause.FAILED, request, error=make_error(kind, message))


def _drive(directory: TurnDir, writer: TurnWriter, meta: dict[str, Any], request: TurnRequest) -> Outcome:
    """Spawn codex, run the turn, end codex."""
    try:
        server = AppServer(
            Path(meta["codex"]),
            request.cwd,
            may_bill_api_key=request.may_bill_api_key,
            turn_id=directory.turn_id,
            log_fd=2,
        )
    except OSError as error:
        # A binary or a directory that was there when the launcher looked.
        kind = ErrorKind.BAD_INPUT if not Path(request.cwd).is_dir() else ErrorKind.CODEX_MISSING
        own = make_error(kind, f"codex cannot be started: {error}")
        return decide(TurnRecord(), Cause.FAILED, request, error=own)
    try:
        become_subreaper(server.pid)  # while codex starts: nobody waits for it
        prompt = directory.prompt.read_bytes().decode()
        return TurnLoop(directory, writer, meta, Session(request, prompt, __version__), server).run()
    finally:
        server.end()


class TurnLoop:
    """Carry between one session, one app-server and one turn directory until the session has its outcome."""

    def __init__(
        self, directory: TurnDir, writer: TurnWriter, meta: dict[str, Any], session: Session, server: AppServer
    ) -> None:
        self._directory = directory
        self._writer = writer
        self._meta = meta
        self._session = session
        self._server = server
        self._live = LiveFile(writer)
        self._selector = selectors.DefaultSelector()
        self._wake_fd = inbox.open_wake(directory)
        self._is_awaiting_room = False  # in codex's stdin
        self._stop_cause: Cause | None = None

    def run(self) -> Outcome:
        """Loop until the turn has ended; codex may still run then."""
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._record_signal)
        self._selector.register(self._wake_fd, selectors.EVENT_READ, self._on_wake)
        self._selector.register(self._server.transport.read_fd(), selectors.EVENT_READ, self._on_stdout)
        self._selector.register(self._server.stderr_fd, selectors.EVENT_READ, self._on_stderr)
        self._on_wake()  # a request may have been left before we listened
        self._do(self._session.start(_now_ms()))
        self._go_on()
        while self._session.outcome is None:
            for key, _ in self._selector.select(self._timeout_s()):
                key.data()
            self._go_on()
        return self._with_last_words(self._session.outcome)

    def _go_on(self) -> None:
        """Act on what was recorded, and on the time."""
        now_ms = _now_ms()
        if not self._directory.path.is_dir():
            self._stop_cause = self._stop_cause or Cause.CANCELLED  # who deletes a turn wants no more of it
        if self._stop_cause is not None:
            self._do(self._session.stop(self._stop_cause, now_ms))
        self._do(self._session.tick(now_ms))
        self._live.update(self._session, now_ms)

    def _timeout_s(self) -> float:
        due = [due_ms for due_ms in (self._session.wakeup_ms, self._live.due_ms) if due_ms is not None]
        rest_s = (min(due) - _now_ms()) / 1000 if due else _LOOK_INTERVAL_S
        return min(max(0.0, rest_s), _LOOK_INTERVAL_S)

    def _do(self, step: Step) -> None:
        """Carry a step out: recorded before it is shown, shown before anything is sent."""
        if step.events:
            self._writer.append_events(step.events)
        if step.text:
            self._writer.append_text(step.text)
        if step.sends:
            with contextlib.suppress(BrokenPipeError):  # the end of its stdout tells the same, after its last words
                self._server.transport.send(step.sends)
            self._await_room()
        self._note_ids()

    # --- what becomes ready

    def _on_stdout(self) -> None:
        data = self._server.transport.read()
        if data is not None:
            self._do(self._session.feed(data, _now_ms()))
            return
        how = self._server.end()
        self._do(self._session.end(self._error_of_crash(how), _now_ms()))

    def _on_stderr(self) -> None:
        if not self._server.drain_stderr():
            self._selector.unregister(self._server.stderr_fd)

    def _on_room(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._server.transport.flush()
        self._await_room()

    def _await_room(self) -> None:
        """Watch codex's stdin for room, and only while something is unsent."""
        fd = self._server.transport.write_fd()
        if fd is not None and not self._is_awaiting_room:
            self._awaited_fd = fd
            self._selector.register(fd, selectors.EVENT_WRITE, self._on_room)
        elif fd is None and self._is_awaiting_room:
            self._selector.unregister(self._awaited_fd)
        self._is_awaiting_room = fd is not None

    def _on_wake(self) -> None:
        """A byte in the FIFO says no more than: look into the inbox."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_fd, 4096)
        for request in inbox.unanswered(self._directory):
            if request.op == "cancel":
                self._stop_cause = self._stop_cause or Cause.CANCELLED
                error = None
            else:
                error = f"codex-server {__version__} does not know the request {request.op!r}"
            with contextlib.suppress(OSError):  # it is done all the same
                inbox.reply(request, error)

    def _record_signal(self, signum: int, _frame: FrameType | None) -> None:
        os.write(2, f"told to stop by signal {signum}\n".encode())  # print is not safe in a handler
        self._stop_cause = self._stop_cause or Cause.WORKER_STOPPED
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_fd, b"!")  # the descriptor, not the path: the directory may be gone

    # --- what is written beside the stream

    def _note_ids(self) -> None:
        """Keep `meta.json` true to what Codex has told of thread and turn."""
        record = self._session.record
        told = {"thread_id": record.thread_id, "codex_turn_id": record.turn_id}
        if record.thread_id is None or told.items() <= self._meta.items():
            return
        self._meta |= told | {
            "codex_version": _version_of(record.user_agent),
            "model": record.settings.get("model") or self._meta.get("model"),
            "effort": record.settings.get("effort") or record.settings.get("reasoningEffort"),
        }
        self._writer.write_meta(self._meta)

    def _error_of_crash(self, how: str) -> TurnError:
        """What an app-server that went away before its turn was over leaves to say."""
        words = self._server.last_words()
        last = words.rpartition("\n")[2].strip()
        kind = kind_of_exit(words)
        message = f"codex app-server ended before the turn did ({how})" + (f": {last}" if last else "")
        return make_error(kind, message)

    def _with_last_words(self, outcome: Outcome) -> Outcome:
        is_codex_at_fault = outcome.error is not None and outcome.error.kind in KINDS_EXPLAINED_BY_STDERR
        return outcome.with_stderr(self._server.last_words()) if is_codex_at_fault else outcome


def _now_ms() -> float:
    """Unix time that never steps: a clock set back or forward must not end a turn, or keep it for ever."""
    return _EPOCH_MS + time.monotonic() * 1000


def _version_of(user_agent: str | None) -> str | None:
    """Codex's version: what follows the first `/` of its user agent (protocol notes, section 2)."""
    return user_agent.partition("/")[2].partition(" ")[0] or None if user_agent else None
