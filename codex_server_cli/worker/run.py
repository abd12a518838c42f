"""One turn in the worker, from its directory to its marker, and the steps after it. Owns that in every case no process
of the turn keeps running, and what was received is published.

The loop itself is in `loop`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from codex_server_cli import __version__
from codex_server_cli.codex.room import is_without_room
from codex_server_cli.core.model.request import Sandbox, TurnRequest
from codex_server_cli.core.model.server.record import is_elsewhere
from codex_server_cli.core.model.server.terms import OWN_SERVER, ServerTerms
from codex_server_cli.core.model.turn import Phase, State
from codex_server_cli.core.record.turn_record import TurnRecord
from codex_server_cli.core.result.failures import error_of, make_error
from codex_server_cli.core.result.outcome import Cause, Outcome, decide, unreadable
from codex_server_cli.core.session.session import Session
from codex_server_cli.disk import lock, mount_targets
from codex_server_cli.disk.files import DISK_ERRORS, read_bytes
from codex_server_cli.disk.journal.turn_journal import TurnJournal
from codex_server_cli.disk.turn.contents import bare_request, meta_of, request_of
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.repair import outcome_of_defect
from codex_server_cli.disk.turn.writer import LockLostError, TurnWriter, publish
from codex_server_cli.errors import CodexServerError, ErrorKind
from codex_server_cli.settings.environment import temporary_directories
from codex_server_cli.worker.cleanup.sweep import sweep
from codex_server_cli.worker.codex_process import CodexProcess
from codex_server_cli.worker.git.workplace import NoWorktreeError, Workplace
from codex_server_cli.worker.leases import Leases
from codex_server_cli.worker.live_file import LiveFile
from codex_server_cli.worker.log import log_traceback, say
from codex_server_cli.worker.loop import TurnLoop
from codex_server_cli.worker.notify import Notifier

if TYPE_CHECKING:
    from codex_server_cli.worker.cleanup.user_program import UserProgram
    from codex_server_cli.worker.git.snapshot import Snapshot


class Afterwards(NamedTuple):
    """What remains to be done after the turn's lock is released.

    Attributes:
        notifier: for the end; without a command if the end could not be published.
        program: the user's `notify` program of Codex, which Codex starts at the end; None where there is none.
    """

    notifier: Notifier
    program: UserProgram | None = None


def run_to_end(
    directory: TurnDir, lock_fd: int, leases: Leases, *, stop_cause: Cause | None = None, waited_s: float = 0.0
) -> NoReturn:
    """Run a turn to its end, then exit the process.

    Args:
        lock_fd: holds the turn's own lock.
        stop_cause: why it is over before it began, if it is.
        waited_s: how long it was queued.
    """
    if leases.slot is not None and leases.slot.left_by is not None:
        _end_what_is_left(TurnDir(directory.path.with_name(leases.slot.left_by)))
    afterwards = run_turn(directory, lock_fd, leases, stop_cause=stop_cause, waited_s=waited_s)
    os.close(lock_fd)  # wakes the processes that wait for the turn's end
    afterwards.notifier.end()
    if afterwards.program is not None:
        from codex_server_cli.worker.cleanup.user_program import see_off

        see_off(directory.turn_id, afterwards.program)
    _collect_once_a_day(directory.path.parents[1])
    os._exit(0)  # skip the interpreter's shutdown


def _collect_once_a_day(home: Path) -> None:
    """Delete old turns, once a day, in one worker, after its own turn, when no caller waits."""
    try:
        from codex_server_cli.disk.gc import stamp

        if not stamp.is_due(home):
            return
        from codex_server_cli.disk.gc.bounds import by_age
        from codex_server_cli.disk.gc.collect import collect_if_due
        from codex_server_cli.disk.turn.reader import TurnReader
        from codex_server_cli.settings.config import read_config
        from codex_server_cli.worker.cleanup.dead_worker import clean_up
        from codex_server_cli.worker.git.unused import Worktrees

        os.nice(19)
        config, worktrees = read_config(home / "config.json"), Worktrees(home)
        bounds = by_age(config.gc_days * stamp.DAY_S, config.gc_named_days)
        if collect_if_due(home, bounds, TurnReader(clean_up), worktrees.keeps):
            worktrees.remove_unused()
    except (OSError, CodexServerError) as error:
        say(f"cannot tidy {home}: {error}")


def _end_what_is_left(dead: TurnDir) -> None:
    """Clean up after the killed worker that held our slot: its codex may still run, which would exceed the limit."""
    from codex_server_cli.disk.turn.reader import TurnReader  # heavy, for a rare case
    from codex_server_cli.worker.cleanup.dead_worker import clean_up

    try:
        TurnReader(clean_up).state(dead)
    except Exception as error:  # the next reader of that turn retries; our turn must not fail because of it
        say(f"cannot repair {dead.turn_id}: {error!r}")


def run_turn(
    directory: TurnDir, lock_fd: int, leases: Leases, *, stop_cause: Cause | None = None, waited_s: float = 0.0
) -> Afterwards:
    """Run the turn of a directory to its marker. A defect of ours ends it too, as kind `internal`.

    A turn whose lock file was deleted or replaced gets no marker here: a reader may be repairing it, and publishes the
    end that its files prove.

    Args:
        lock_fd: holds the turn's lock.
        leases: released as soon as codex has exited.
        stop_cause: why it is over before it began, if it is; then codex is never started.
        waited_s: how much of the turn's deadline has passed already.
    """
    silence = Notifier(directory.path, None)
    if not lock.is_own(lock_fd, directory.lock):  # the turn, or only its lock file, was deleted while it was queued
        _leave_unbegun(directory, leases)
        return Afterwards(silence)
    # Read before anything else is opened: a limit on open files must not look like an unreadable record.
    meta = meta_of(directory)
    request = request_of(directory, meta)
    try:
        writer = TurnWriter(directory, lock_fd)
    except OSError as error:  # a limit on open files that is just enough for the worker itself
        log_traceback()
        _clean_up(directory, None, None)  # codex may have been started early
        leases.leave_queue()
        leases.release()
        outcome = _outcome_of_defect(directory, request or bare_request(directory), error)
        publish(directory, outcome, meta)
        TurnJournal(directory.path, meta.get("name")).end(outcome.state, outcome.error.kind if outcome.error else None)
        return Afterwards(silence)
    journal = TurnJournal(directory.path, meta.get("name"))
    notifier = Notifier(directory.path, request.notify if request is not None else None)
    workplace, noted, program = Workplace(directory, writer, meta), None, None
    try:
        if request is None:
            outcome = unreadable(TurnRecord(), directory.turn_id)  # without a request nothing is run
        elif stop_cause is not None:
            outcome = decide(TurnRecord(), stop_cause, request)
        else:
            journal.phase(Phase.STARTING)
            request = workplace.enter(request.after(waited_s), leases)
            noted = None if is_elsewhere(meta.get("server")) else _note_mount_targets(directory, request)
            live = LiveFile(writer, journal, notifier, request.work_dir)
            outcome, program = _drive(directory, writer, meta, request, leases, live, workplace.snapshot)
    except NoWorktreeError as failure:
        outcome = decide(TurnRecord(), Cause.FAILED, request or bare_request(directory), error=failure.error)
    except LockLostError:
        say("the turn's lock was deleted or replaced: the next reader publishes its end")
        outcome = decide(TurnRecord(), Cause.CANCELLED, request or bare_request(directory))  # for a deleted directory
    except CodexServerError as failure:  # its server cannot be reached: the token is gone, for instance
        outcome = outcome_of_defect(directory, request or bare_request(directory), error_of(failure))
    except Exception as error:
        log_traceback()
        outcome = _outcome_of_defect(directory, request or bare_request(directory), error)
    _clean_up(directory, program, noted)
    outcome = workplace.leave(outcome)
    leases.leave_queue()
    leases.release()
    is_told = _publish_end(writer, outcome, meta, journal, keeps_events=request is None or request.keeps_events)
    writer.close()
    return Afterwards(notifier if is_told else silence, program)


def _leave_unbegun(directory: TurnDir, leases: Leases) -> None:
    _clean_up(directory, None, None)  # as above
    leases.leave_queue()
    leases.release()
    if not directory.exists:
        TurnJournal(directory.path).end(State.CANCELLED, ErrorKind.CANCELLED)


def _publish_end(
    writer: TurnWriter, outcome: Outcome, meta: dict[str, Any], journal: TurnJournal, *, keeps_events: bool
) -> bool:
    """Publish and journal the end, unless the turn was deleted; False where both are left to the next reader."""
    try:
        if writer.may_write():
            if not keeps_events and outcome.state is not State.CANCELLED:  # `cancel` waits, and kills after a timeout
                _compact_events(writer)
            writer.finish(outcome, meta)
    except LockLostError:
        return False
    except OSError:  # no space, or no permission any more: the next reader publishes it
        log_traceback()
        return False
    journal.end(outcome.state, outcome.error.kind if outcome.error else None)
    return True


def _compact_events(writer: TurnWriter) -> None:
    try:
        writer.compact_events()
    except OSError as error:  # no space, or no permission any more
        say(f"events.jsonl is left as it is: {error}")
    except Exception:  # a larger file is no reason to lose the end
        log_traceback()


def _clean_up(directory: TurnDir, program: UserProgram | None, noted: mount_targets.Note | None) -> None:
    """End the turn's processes, except the user's own program, and remove its mount targets from the project."""
    try:
        if program is None:
            sweep(directory.turn_id, is_worker=True)
        else:
            sweep(directory.turn_id, is_worker=True, spared=program.pids)
        mount_targets.clean(directory, noted)
    except Exception:  # a process that still runs is bad; an unpublished end would be worse
        log_traceback()


def _note_mount_targets(directory: TurnDir, request: TurnRequest) -> mount_targets.Note | None:
    """The mount targets that must not remain in the project; None where the sandbox makes none."""
    if sys.platform != "linux" or request.sandbox is not Sandbox.WORKSPACE_WRITE:
        return None
    return mount_targets.note(directory, (request.work_dir, *request.writable_roots), temporary_directories())


def _outcome_of_defect(directory: TurnDir, request: TurnRequest, error: Exception) -> Outcome:
    is_disk = isinstance(error, OSError) and error.errno in DISK_ERRORS
    kind = ErrorKind.DISK if is_disk else ErrorKind.OVERLOADED if is_without_room(error) else ErrorKind.INTERNAL
    return outcome_of_defect(directory, request, make_error(kind, f"{type(error).__name__}: {error}"))


def _drive(
    directory: TurnDir,
    writer: TurnWriter,
    meta: dict[str, Any],
    request: TurnRequest,
    leases: Leases,
    live: LiveFile,
    snapshot: Snapshot | None,
) -> tuple[Outcome, UserProgram | None]:
    """Run the turn, end codex, then put back the messages that were queued for its thread meanwhile.

    Returns:
        The outcome; and how to recognise the user's own program, if Codex has started it.
    """
    codex_process, request, terms = _reach_codex(meta, request, writer)
    session = Session(request, read_bytes(directory.prompt).decode(), __version__, terms)
    try:
        outcome = TurnLoop(directory, writer, meta, session, codex_process, leases, live, snapshot).run()
        return outcome, _program_of(session.record, meta)
    finally:
        if snapshot is not None:
            snapshot.changes = session.record.changes
        codex_process.close(has_farewell=session.record.codex.has_farewell and session.record.status == "completed")
        if codex_process.may_leave(session.record):
            from codex_server_cli.worker.server.left_turn import end_there

            say(end_there(directory, meta) or "nothing of the turn was left on its server")
        if not session.queue.is_untouched:
            from codex_server_cli.worker.cleanup.queue_restore import restore_after_turn  # for a rare case

            restore_after_turn(directory, meta, session, writer)


def _reach_codex(
    meta: dict[str, Any], request: TurnRequest, writer: TurnWriter
) -> tuple[CodexProcess, TurnRequest, ServerTerms]:
    """The app-server of the turn: its own, unless another one is named."""
    if meta.get("server") is None:
        return CodexProcess(Path(meta["codex"]), request), request, OWN_SERVER
    from codex_server_cli.worker.server.attach import attach

    return attach(meta, request, writer.write_meta)


def _program_of(record: TurnRecord, meta: dict[str, Any]) -> UserProgram | None:
    has_program = record.codex.has_program or "notify" in (record.asked.get("config") or {})
    if not has_program or "app_server_pid" not in meta or record.status is None or record.turn_id is None:
        return None
    from codex_server_cli.worker.cleanup.user_program import UserProgram, clock_s  # only where one is configured

    return UserProgram(int(meta["app_server_pid"]), record.turn_id, clock_s())
