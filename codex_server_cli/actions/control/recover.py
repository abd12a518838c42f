"""The `recover` verb: restoring from Codex's own record what replay could not. Owns the choice of source, the messages.

Asks a separate app-server, else reads the session file. Both only read: no login is needed, no thread is loaded or
resumed, and the user's configuration must never be written. Must never print.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any, NamedTuple

from codex_server_cli import __version__
from codex_server_cli.actions.read import read
from codex_server_cli.codex.binary import find_codex
from codex_server_cli.codex.client import run_query
from codex_server_cli.core.history.stored_turn import Recovery, merge
from codex_server_cli.core.history.stored_turn_query import StoredTurn, find_stored_turn
from codex_server_cli.core.model.server.record import is_elsewhere, is_foreign
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView, may_ask
from codex_server_cli.core.protocol.rpc import Message
from codex_server_cli.core.result.commands import bounded_wait
from codex_server_cli.disk.stored_turns import read_stored_turn
from codex_server_cli.disk.turn import recovery
from codex_server_cli.disk.turn.contents import end_of, meta_of
from codex_server_cli.disk.turn.journal_end import append_recovered
from codex_server_cli.disk.turn.layout import TurnDir, home_error
from codex_server_cli.disk.turn.recovery import Ended
from codex_server_cli.errors import BusyError, CodexMissingError, CodexServerError, NotFoundError, ServerError
from codex_server_cli.settings.config import read_config
from codex_server_cli.settings.places import Settings

TIMEOUT_S = 30.0
"""For all requests to the app-server."""
_LOCK_TIMEOUT_S = TIMEOUT_S + 10
"""For another `recover` of the same turn; after it there is nothing left to do."""

_COMPLETE = "The turn is complete: there is nothing to recover."
_UNREADABLE = "The turn's record cannot be read: it does not tell what was asked, and is left as it is."
_NO_ID = "The turn ended before Codex told its id of it: Codex's record cannot be asked about it."
_NOTHING_NEW = "Codex's record of this turn holds nothing that is not here already."


class Recovered(NamedTuple):
    """The turn afterwards; `message` says what was found, or why nothing was."""

    view: TurnView
    is_recovered: bool
    message: str


def recover(settings: Settings, directory: TurnDir) -> Recovered:
    """Complete an ended turn from Codex's own record of it, and put back queued messages that its worker had taken.

    Raises:
        BusyError: the turn is still running, or another process holds it.
        NotFoundError: the turn was deleted meanwhile.
        CodexMissingError: Codex cannot be asked, and its session file does not have the turn.
        HomeError: the turn's directory cannot be written or read.
        BadInputError: `config.json` is broken.
    """
    view = read.readable(directory)
    if view.state is State.RUNNING:
        hint = f"First: `{bounded_wait(directory.turn_id, may_ask=may_ask(view.meta))}`"
        raise BusyError(f"turn {directory.turn_id} is still running", hint=hint)
    result = _put_back(settings, directory) if os.path.lexists(directory.queued) else ""
    found = _recover_answer(settings, directory, view)
    return found._replace(message=f"{found.message} {result[0].upper()}{result[1:]}.") if result else found


def _put_back(settings: Settings, directory: TurnDir) -> str:
    """Restore the queued messages that the turn's worker took and failed to put back; return the result as text."""
    from codex_server_cli.worker.cleanup.queue_restore import restore_later

    codex = None
    with contextlib.suppress(CodexMissingError):  # the codex of the turn itself may still exist
        codex = find_codex(read_config(settings.config_path).codex, settings.search_path).path
    lock_fd = _take_lock(settings, directory)
    try:
        return restore_later(directory, codex=codex)
    except OSError as error:
        raise home_error(settings.home, error) from error
    finally:
        os.close(lock_fd)


def _recover_answer(settings: Settings, directory: TurnDir, view: TurnView) -> Recovered:
    if view.state is State.COMPLETE and not directory.error.exists():
        return Recovered(view, False, _COMPLETE)
    lock_fd = _take_lock(settings, directory)
    try:
        is_recovered, message = _recover(settings, directory)
        if is_recovered:
            with contextlib.suppress(OSError):  # the turn's directory is authoritative
                append_recovered(directory)
    except OSError as error:
        raise home_error(settings.home, error) from error
    finally:
        os.close(lock_fd)
    return Recovered(read.status(directory), is_recovered, message)


def _take_lock(settings: Settings, directory: TurnDir) -> int:
    try:
        fd = recovery.take_lock(directory, _LOCK_TIMEOUT_S)
    except OSError as error:
        if directory.exists:
            raise home_error(settings.home, error) from error
        hint = "codex-server list-turns shows the turns there are."
        raise NotFoundError(f"turn {directory.turn_id} was deleted", hint=hint) from error
    if fd is None:
        raise BusyError(f"another process holds turn {directory.turn_id}", hint="Try again in a minute.")
    return fd


def _recover(settings: Settings, directory: TurnDir) -> tuple[bool, str]:
    """Recover under the turn's lock; return whether something was restored, and the message."""
    if recovery.finish_publishing(directory):
        return True, "A recovery that was cut short is finished."
    end = end_of(directory)
    if end is not None and end[0] is State.COMPLETE:  # another `recover` has done it meanwhile
        return False, _COMPLETE
    ended = recovery.read_ended(directory)
    if ended is None:
        return False, _UNREADABLE
    obstacle = _obstacle(ended)
    if obstacle is not None:
        return False, obstacle
    server = meta_of(directory).get("server")
    stored, source, why_not = _ask(settings, str(ended.record.thread_id), str(ended.record.turn_id), server)
    if stored is None:
        return False, why_not
    found = merge(ended.record, stored, ended.published, ended.request)
    if found is None:
        return False, _NOTHING_NEW
    recovery.publish_recovery(directory, ended, found, source)
    return True, _message_of(found, source)


def _obstacle(ended: Ended) -> str | None:
    """Why Codex cannot have a record; None where it may."""
    if ended.request.is_ephemeral:
        return "The turn was ephemeral: Codex kept no record of it."
    if ended.record.thread_id is None:
        return "The turn ended before it had a thread: Codex has no record of it."
    if ended.record.turn_id is None:
        return f"{_NO_ID} `codex-server show {ended.record.thread_id}` prints what its thread holds."
    return None


def _ask(
    settings: Settings, thread_id: str, turn_id: str, server: dict[str, Any] | None
) -> tuple[Message | None, str, str]:
    """Our turn in Codex's record, and its source; None with the reason where it is not there.

    Args:
        server: of the turn's `meta.json`: a foreign server is asked itself; our shared one has the same sessions as
            any app-server here.

    Raises:
        CodexServerError: no app-server answers, and the session file does not have the turn.
    """
    problem: CodexServerError | None
    try:
        answer, problem = _ask_app_server(settings, thread_id, turn_id, server), None
    except (CodexMissingError, ServerError) as error:
        answer, problem = StoredTurn(None), error
    if _is_completed(answer.turn):
        return answer.turn, "app-server", ""
    # An app-server that has lost its databases lists an empty thread, and one that was killed right after the end
    # reports the turn as interrupted, though the session file is complete.
    stored = None if is_elsewhere(server) else read_stored_turn(settings.codex_home, thread_id, turn_id)
    if answer.turn is not None and not _is_completed(stored):
        return answer.turn, "app-server", ""
    if stored is None and problem is not None:
        raise problem
    if answer.refusal is not None:
        return stored, "rollout", f"Codex has no record of thread {thread_id}: {answer.refusal}"
    return stored, "rollout", f"Codex's record of thread {thread_id} does not have this turn."


def _is_completed(turn: Message | None) -> bool:
    return turn is not None and turn.get("status") == "completed"


def _ask_app_server(settings: Settings, thread_id: str, turn_id: str, server: dict[str, Any] | None) -> StoredTurn:
    if is_foreign(server):
        from codex_server_cli.worker.server.client import run_query_there

        return run_query_there(server or {}, settings, find_stored_turn(thread_id, turn_id, __version__), TIMEOUT_S)
    codex = find_codex(read_config(settings.config_path).codex, settings.search_path)
    query = find_stored_turn(thread_id, turn_id, __version__)
    return run_query(codex.path, settings.home, query, TIMEOUT_S)


def _message_of(found: Recovery, source: str) -> str:
    where = "Codex's own record" if source == "app-server" else "Codex's session file"
    if found.outcome is None:
        return f"{where} holds more of the answer than was received: it is kept now. The turn had not been completed."
    if found.outcome.error is not None:
        return f"Codex had completed this turn, but: {found.outcome.error.message}"
    return f"Codex had completed this turn: the answer is restored from {where}."
