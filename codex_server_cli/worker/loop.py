"""The worker's loop: one turn from its first byte to its outcome. Owns the order in which a `Step` is executed.

Runs in the worker, in one thread, around one selector. The session decides, the writer writes, the app-server runs;
this file only passes data between them. Signals are recorded, and handled in the loop.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from codex_server_cli.codex.transport.base import Link
from codex_server_cli.core.model.server.record import is_elsewhere
from codex_server_cli.core.model.turn import TurnError
from codex_server_cli.core.protocol.rpc import Message
from codex_server_cli.core.record.effective_settings import effective_terms
from codex_server_cli.core.result.failures import make_error
from codex_server_cli.core.result.outcome import Cause, Outcome
from codex_server_cli.core.session.control import ShellRequest
from codex_server_cli.core.session.outbox import Step
from codex_server_cli.core.session.session import Session
from codex_server_cli.disk import mount_targets
from codex_server_cli.disk.files import DISK_ERRORS
from codex_server_cli.disk.session_tail import calls_of_turn
from codex_server_cli.disk.turn import inbox
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.writer import TurnWriter
from codex_server_cli.errors import ErrorKind
from codex_server_cli.settings.environment import temporary_directories
from codex_server_cli.worker.codex_process import CodexProcess, StartError
from codex_server_cli.worker.inbox import answer, take_requests
from codex_server_cli.worker.leases import Leases
from codex_server_cli.worker.live_file import LiveFile
from codex_server_cli.worker.log import say
from codex_server_cli.worker.queue_watch import QueueWatch

if TYPE_CHECKING:
    from codex_server_cli.worker.git.snapshot import Snapshot

_INBOX_LOOK_S = 2.0  # how often the inbox is read without a wake-up
_QUEUE_LOOK_S = 0.5  # how often Codex's queues are checked: two `stat`s
_EPOCH_MS = (time.time() - time.monotonic()) * 1000


class TurnLoop:
    """Pass data between one session, one app-server and one turn directory until the session has its outcome."""

    def __init__(
        self,
        directory: TurnDir,
        writer: TurnWriter,
        meta: dict[str, Any],
        session: Session,
        codex_process: CodexProcess,
        leases: Leases,
        live: LiveFile,
        snapshot: Snapshot | None = None,
    ) -> None:
        self._directory = directory
        self._writer = writer
        self._meta = meta
        self._session = session
        self._codex_process = codex_process
        self._leases = leases
        self._live = live
        self._snapshot = snapshot  # of the work tree, where a command may write
        self._queues = QueueWatch()
        self._selector = selectors.DefaultSelector()
        self._wake_fd = inbox.open_wake(directory)
        self._is_codex_gone = self._is_awaiting_room = False  # in codex's stdin
        self._stop_cause: Cause | None = None
        self._inbox_due_ms = 0.0
        self._noted_settings: Message = {}
        self._served: set[str] = set()  # requests of other shells, by path
        self._is_here = not is_elsewhere(meta.get("server"))  # Codex's files are on this machine

    def run(self) -> Outcome:
        """Loop until the turn has ended and Codex has reported what it began after it; codex may still run then.

        Raises:
            LockLostError: as `TurnWriter.may_write`.
        """
        try:
            outcome = self._run().with_stderr(self._codex_process.stderr_tail())
            self._hear_session()
            return outcome._replace(refused=self._session.record.refusals.to_json())
        except OSError as error:
            if error.errno not in DISK_ERRORS:
                raise
            return self._end_unrecorded(error)

    def _hear_session(self) -> None:
        """Read refused calls from the thread's session file: for a resumed thread they are recorded only there."""
        record = self._session.record
        is_resumed = self._meta["request"].get("thread_id") is not None or record.attachment.is_reattached
        if is_resumed and self._is_here and record.session_path and record.turn_id is not None:
            lines = calls_of_turn(Path(record.session_path), record.turn_id)
            self._do(self._session.hear_session(lines, _now_ms()))

    def _end_unrecorded(self, error: OSError) -> Outcome:
        """End a turn that can no longer be recorded; the outcome includes what could not be written."""
        what = f"what comes of the turn can no longer be written: {error.strerror}"
        self._session.end(make_error(ErrorKind.DISK, what), _now_ms())
        assert self._session.outcome is not None
        return self._session.outcome

    def _run(self) -> Outcome:
        signal.signal(signal.SIGTERM, self._record_signal)
        signal.signal(signal.SIGINT, self._record_signal)
        if self._leases.was_told_to_stop:
            self._stop_cause = Cause.WORKER_STOPPED
        self._selector.register(self._wake_fd, selectors.EVENT_READ, self._on_wake)
        self._on_wake()  # a request may have been left before we listened
        if self._stop_cause is None:
            self._do(self._session.start(_now_ms()))
        self._go_on()
        while (outcome := self._session.outcome) is None or self._is_awaiting_word():
            ready = self._selector.select(self._timeout_s())
            if not self._writer.may_write():  # a deleted turn is cancelled
                self._stop_cause = self._stop_cause or Cause.CANCELLED
            for key, _ in ready:
                key.data()
            self._go_on()
        return outcome

    def _is_awaiting_word(self) -> bool:
        until_ms = self._session.queue.awaited_until_ms if self._stop_cause is None else None
        return until_ms is not None and self._codex_process.link is not None and _now_ms() < until_ms

    def _go_on(self) -> None:
        """Handle recorded signals and requests, and whatever is due."""
        if self._codex_process.link is not None:
            self._codex_process.link.tick()  # at least every half second: see `_timeout_s`
        if self._is_codex_gone:
            self._reap_codex()
        now_ms = _now_ms()
        if now_ms >= self._inbox_due_ms:  # a writer without a FIFO cannot wake us
            self._inbox_due_ms = now_ms + _INBOX_LOOK_S * 1000
            self._look_into_inbox()
        self._look_at_queues()
        if self._stop_cause is not None:
            self._do(self._session.stop(self._stop_cause, now_ms))
        self._do(self._session.tick(now_ms))
        self._live.update(self._session, now_ms)

    def _timeout_s(self) -> float:
        due = [due_ms for due_ms in (self._session.wakeup_ms, self._live.due_ms) if due_ms is not None]
        rest_s = (min(due) - _now_ms()) / 1000 if due else _QUEUE_LOOK_S
        return min(max(0.0, rest_s), _QUEUE_LOOK_S)

    def _look_at_queues(self) -> None:
        if self._is_here and self._queues.has_changed(self._session.record.codex.home):
            self._do(self._session.look_at_queue(_now_ms()))

    def _do(self, step: Step) -> None:
        """Execute a step: first record its events, then show its text, then start or send anything."""
        if step.events:
            self._writer.append_events(step.events)
        if step.text:
            self._writer.append_text(step.text)
        if step.starts_server:
            self._start_codex(step.provider)
        link = self._codex_process.link
        if step.denied and self._is_here:
            mount_targets.note_denied(self._directory, step.denied, temporary_directories())
        if step.queued is not None:
            from codex_server_cli.worker.cleanup.queue_restore import note_debt  # for a rare case

            note_debt(self._directory, self._meta, self._session, step.queued)
        if step.sends and link is not None:
            if self._snapshot is not None and self._session.record.is_turn_requested:
                self._snapshot.wait_for_first_state()  # before the first command
            self._send(link, step.sends)
        if step.replies:  # a reader sees the result before the reply
            self._live.update(self._session, _now_ms())
        for reply in step.replies:
            answer(Path(reply.tag), reply.error, reply.result)
        self._note_what_codex_told()

    # --- codex

    def _start_codex(self, provider: str | None) -> None:
        self._end_codex()
        try:
            link = self._codex_process.start(provider, is_turn_there=self._session.record.is_turn_requested)
        except StartError as failure:
            self._do(self._codex_process.report(self._session, failure.error, failure.is_passing, _now_ms()))
            return
        if self._snapshot is not None:
            self._snapshot.begin()  # usually takes no longer than the start of codex
        self._leases.leave_queue()
        if link.pid is not None:
            self._meta["app_server_pid"] = link.pid  # also the session id by which its processes are found
        for fd in link.fds():
            self._listen(link, fd, partial(self._on_readable, fd))

    def _listen(self, link: Link, fd: int, hear: Callable[[Link], None], event: int = selectors.EVENT_READ) -> None:
        def hear_if_it_counts() -> None:
            if link is self._codex_process.link:  # else it was replaced after the select
                hear(link)

        self._selector.register(fd, event, hear_if_it_counts)

    def _reap_codex(self) -> None:
        if (end := self._end_codex()) is not None:
            self._do(self._codex_process.report(self._session, *end, _now_ms()))

    def _end_codex(self) -> tuple[TurnError, bool] | None:
        """End the app-server and unregister it; as `CodexProcess.end` returns, None where there was none."""
        self._is_codex_gone = self._is_awaiting_room = False
        for fd in [fd for fd in self._selector.get_map() if fd != self._wake_fd]:
            self._selector.unregister(fd)
        link = self._codex_process.link
        return self._codex_process.end(link) if link is not None else None

    # --- what becomes ready

    def _on_readable(self, fd: int, link: Link) -> None:
        data = link.read(fd)
        if data is None:
            self._is_codex_gone = True  # handled after the other ready descriptors
        elif data:
            self._look_at_queues()  # before the end of the turn, which may be among the data
            self._do(self._session.feed(data, _now_ms()))
        elif fd not in link.fds():
            self._selector.unregister(fd)

    def _send(self, link: Link, data: bytes = b"") -> None:
        """Send unsent bytes and `data`, as far as codex's stdin accepts them."""
        with contextlib.suppress(BrokenPipeError):  # the EOF of its stdout reports the same, after its last output
            link.send(data)
        self._await_room(link)

    def _await_room(self, link: Link) -> None:
        """Watch codex's stdin for room, and only while something is unsent."""
        fd = link.write_fd()
        if fd is not None and not self._is_awaiting_room:
            self._awaited_fd = fd
            self._listen(link, fd, self._send, selectors.EVENT_WRITE)
        elif fd is None and self._is_awaiting_room:
            self._selector.unregister(self._awaited_fd)
        self._is_awaiting_room = fd is not None

    def _on_wake(self) -> None:
        """Read the inbox, after a byte in the FIFO."""
        with contextlib.suppress(BlockingIOError):  # called without a wake-up
            os.read(self._wake_fd, 4096)
        self._look_into_inbox()

    def _look_into_inbox(self) -> None:
        cause = take_requests(self._directory, self._serve)
        self._stop_cause = self._stop_cause or cause

    def _serve(self, asked: ShellRequest) -> None:
        """Pass a request of another shell to the session, once."""
        if asked.tag not in self._served:
            self._served.add(asked.tag)
            self._do(self._session.serve(asked, _now_ms()))

    def _record_signal(self, signum: int, _frame: FrameType | None) -> None:
        say(f"told to stop by signal {signum}")
        self._stop_cause = self._stop_cause or Cause.WORKER_STOPPED
        with contextlib.suppress(BlockingIOError):  # full, so it wakes us anyway
            os.write(self._wake_fd, b"!")  # the descriptor, not the path: the directory may be gone

    def _note_what_codex_told(self) -> None:
        """Keep `meta.json` up to date with what Codex reports of thread, turn and effective settings."""
        record = self._session.record
        told = {"thread_id": record.thread_id, "codex_turn_id": record.turn_id, "payer": record.payer}
        if record.thread_id is None or (record.settings is self._noted_settings and told.items() <= self._meta.items()):
            return
        asked_id = self._meta["request"].get("thread_id")
        self._noted_settings, terms = record.settings, effective_terms(record.settings)
        self._meta |= told | {
            "forked_from": asked_id if asked_id != record.thread_id else None,
            "codex_version": record.codex.version,
            "model": terms["model"] or self._meta.get("model"),
            "effort": terms["effort"],
            "effective": terms,
        }
        self._leases.write_thread(record.thread_id, self._directory.turn_id)
        with contextlib.suppress(OSError):  # a full disk: the events hold it too, and it is written again
            self._writer.write_meta(self._meta)


def _now_ms() -> float:
    """Unix time that never steps: a change of the clock must neither end a turn nor keep it running."""
    return _EPOCH_MS + time.monotonic() * 1000
