"""Codex's own threads: listing them, showing one, and choosing the one to continue. Owns the choice.

Reads Codex's session files and our turns; writes neither. Must never fall back to another project's thread.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from typing import Any, NamedTuple

from codex_server_cli.actions.read.read import check_codex_home, find
from codex_server_cli.actions.start.checks import check_cwd
from codex_server_cli.actions.start.options import GivenServer, ThreadChoice
from codex_server_cli.core.history.entries import ThreadEntry
from codex_server_cli.core.model.server.record import is_elsewhere
from codex_server_cli.core.model.turn import is_turn_id
from codex_server_cli.core.model.view import may_ask
from codex_server_cli.core.result.commands import bounded_wait
from codex_server_cli.disk.codex_sessions import (
    ThreadSummary,
    archived_ids,
    damaged_file,
    find_named,
    find_threads,
    list_threads,
    newest_thread,
    read_tail,
)
from codex_server_cli.disk.files import read_json
from codex_server_cli.disk.session_access import refusal
from codex_server_cli.disk.session_files import has_session
from codex_server_cli.disk.turn import lookup
from codex_server_cli.disk.turn.contents import meta_of, read_meta
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.refusal import refusal_of
from codex_server_cli.errors import (
    AmbiguousError,
    BadInputError,
    BusyError,
    ErrorKind,
    HomeError,
    NotFoundError,
    UnknownThreadError,
)
from codex_server_cli.settings.config import read_config
from codex_server_cli.settings.places import Settings

_THREAD_PREFIX = re.compile(r"[0-9a-f][0-9a-f-]{0,35}")
_WHOLE_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_THREAD_ID = re.compile(r"[0-9a-fA-F-]+")
_MAX_LISTED = 10
_LIST_HINT = "codex-server list shows the threads there are."


def recent(settings: Settings, *, limit: int, cwd: str | None, search: str | None) -> list[ThreadSummary]:
    """Codex's newest readable threads.

    Raises:
        HomeError: there is none, and some are not readable.
    """
    found = list_threads(settings.codex_home, limit=limit, cwd=cwd, search=search)
    if not found:
        _refuse_if_unreadable(settings)
    return found


def _refuse_if_unreadable(settings: Settings, prefix: str = "") -> None:
    """Raise an error if nothing was found because the directories are missing or not readable."""
    check_codex_home(settings)
    error = refusal(settings.codex_home, prefix)
    if error is not None:
        hint = "Another user made it: ask as that user, or set CODEX_HOME to a directory of your own."
        raise HomeError(f"cannot read {error.filename}: {error.strerror}", hint=hint) from error


class ThreadView(NamedTuple):
    """One thread and its last entries."""

    summary: ThreadSummary
    entries: tuple[ThreadEntry, ...]


def show(settings: Settings, thread: str, *, limit: int) -> ThreadView:
    """A thread by its id, a unique prefix of it, or its name in Codex.

    Raises:
        NotFoundError: none, or several.
        HomeError: it is not readable.
    """
    summary = _find_thread(settings, thread)
    return ThreadView(summary, read_tail(summary, limit=limit))


def find_either(settings: Settings, selector: str, cwd: str | None) -> TurnDir | ThreadSummary:
    """The turn that a selector names, else the thread that it names.

    Raises:
        AmbiguousError: several.
        NotFoundError: neither.
        HomeError: no thread, and it may be a turn that is not readable.
    """
    try:
        return find(settings, selector, cwd)
    except AmbiguousError:
        raise
    except (NotFoundError, HomeError) as no_turn:
        if selector == "last" or is_turn_id(selector):  # no thread can have such a name
            raise
        try:
            return _find_thread(settings, selector)
        except UnknownThreadError as error:
            if isinstance(no_turn, HomeError):
                raise no_turn from error
            hint = "codex-server list-turns shows the turns, codex-server list the threads."
            raise NotFoundError(f"no such turn or thread: {selector}", hint=hint) from error


def _find_thread(settings: Settings, thread: str) -> ThreadSummary:
    home, has_name = settings.codex_home, not _WHOLE_ID.fullmatch(thread)
    found = find_named(home, thread) if has_name else []
    if not found and _THREAD_PREFIX.fullmatch(thread):
        found, has_name = find_threads(home, thread, limit=_MAX_LISTED), False
    if found:
        return _single(thread, found, has_name=has_name)
    _refuse_if_unreadable(settings, thread if _THREAD_PREFIX.fullmatch(thread) else "no id")
    _refuse_archived(settings, thread)
    if damaged := damaged_file(home, thread) if _WHOLE_ID.fullmatch(thread) else None:
        hint = "Restore it, or start anew: codex-server new"
        raise BadInputError(f"the session file of thread {thread} is damaged: {damaged}", hint=hint)
    raise UnknownThreadError(f"no such thread: {thread}", hint=_LIST_HINT)


def _single(thread: str, found: list[ThreadSummary], *, has_name: bool) -> ThreadSummary:
    """The only match; raise an error that lists the ids where there are several."""
    if len(found) == 1:
        return found[0]
    rows = [f"{summary.thread_id}  {summary.updated_at}  {summary.cwd}" for summary in found[:_MAX_LISTED]]
    is_prefix = found[0].thread_id.startswith(thread)
    message = f"several threads {'are called' if has_name else 'begin with' if is_prefix else 'end with'} {thread}"
    raise AmbiguousError(message, hint="\n".join(["Name one by its id:", *rows]), kind=ErrorKind.THREAD_MISSING)


def _refuse_archived(settings: Settings, thread: str) -> None:
    """Raise `NotFoundError` for an archived thread, which Codex does not open."""
    archived = archived_ids(settings.codex_home, thread)
    if archived:
        import shutil  # 2 ms, and rarely needed

        is_on_path = shutil.which("codex", path=settings.search_path)
        codex = None if is_on_path else read_config(settings.config_path).codex
        hint = f"{shlex.quote(codex or 'codex')} unarchive {archived[0]}"
        raise NotFoundError(f"thread {archived[0]} is archived", hint=hint, kind=ErrorKind.THREAD_MISSING)


def ids_of(settings: Settings, thread: str) -> frozenset[str]:
    """The threads that a filter of turns selects: by id, even if Codex no longer has it, or all of a name or prefix.

    Raises:
        NotFoundError: it is not an id, and no thread, archived ones included, has this name or prefix.
    """
    if _WHOLE_ID.fullmatch(thread.lower()):
        return frozenset([thread.lower()])
    home, prefix = settings.codex_home, thread if _THREAD_PREFIX.fullmatch(thread) else ""
    found = find_named(home, thread) or find_threads(home, prefix, limit=sys.maxsize)
    if ids := frozenset([*(summary.thread_id for summary in found), *archived_ids(home, thread)]):
        return ids
    _refuse_if_unreadable(settings, prefix or "no id")
    raise UnknownThreadError(f"no such thread: {thread}", hint=_LIST_HINT)


def choose_by_id(settings: Settings, thread: str, server: GivenServer | None = None) -> ThreadChoice:
    """The thread that `--thread` names.

    Args:
        server: the app-server that the turn is to use, as it was given.

    Raises:
        NotFoundError: there is none, or it is archived.
        AmbiguousError: several.
        BadInputError: its session file is damaged.
    """
    if _is_server_named(settings, server):
        from codex_server_cli.actions.start.place.server_threads import choose_there

        choice = choose_there(settings, thread, server)
        if choice is not None:
            return choice
    summary = _find_thread(settings, thread)
    return ThreadChoice(summary.thread_id, summary.cwd)


def _is_server_named(settings: Settings, given: GivenServer | None) -> bool:
    return given is not None or read_config(settings.config_path).server is not None


def choose_by_turn(settings: Settings, selector: str, cwd: str | None) -> ThreadChoice:
    """The thread of the turn that `--turn` names.

    Raises:
        NotFoundError: no such turn, or its thread is archived.
        BusyError: its thread does not exist yet.
        HomeError: it is another user's.
        BadInputError: it ended before it had a thread, or the thread left no session (`--ephemeral`).
    """
    directory = find(settings, selector, cwd)
    try:
        choice = _choice_of(settings, directory, read_meta(directory) or {})
    except PermissionError as error:
        raise refusal_of(directory, error) from error
    if choice is not None:
        if choice.server is None:
            _refuse_archived(settings, choice.thread_id)
        return choice
    if directory.marker is None:
        raise _no_thread_yet(directory, meta_of(directory))
    message, hint = f"turn {directory.turn_id} left no thread to go on with", "Start anew, with the prompt on stdin: "
    raise BadInputError(message, hint=f"{hint}`codex-server new -`", kind=ErrorKind.THREAD_MISSING)


def choose_last(settings: Settings, cwd: str | None, server: GivenServer | None = None) -> ThreadChoice:
    """The newest thread of this directory: of our own turns first, else of Codex's sessions.

    Args:
        server: the app-server that the turn is to use, as it was given: then only turns on that one count.

    Raises:
        UsageError: the directory is on another host, and was not given.
        BusyError: the newest turn here has no thread yet.
        NotFoundError: its thread is archived.
        BadInputError: there is none, or no such directory. Never the newest thread of another project.
    """
    place = None
    if _is_server_named(settings, server):
        from codex_server_cli.actions.start.place.server_threads import place_of

        place = place_of(settings, cwd, server)
    here = place.here if place is not None else os.path.realpath(check_cwd(cwd))
    for directory, meta in lookup.iter_meta(settings.turns_path):
        if place.has(settings, meta) if place is not None else _is_of_here(meta, here):
            choice = _choice_of(settings, directory, meta)
            if choice is not None:
                if choice.server is None:
                    _refuse_archived(settings, choice.thread_id)
                return choice
            if directory.marker is None and not _is_ephemeral(meta):
                raise _no_thread_yet(directory, meta)  # never an older thread instead
    if place is not None:
        place.refuse_none()
    summary = newest_thread(settings.codex_home, here)
    if summary is None:
        _refuse_if_unreadable(settings)
        others = "Those of other places, for --thread: `codex-server list`"
        hint = f"Start one, with the prompt on stdin: `codex-server new -`. {others}"
        raise BadInputError(f"no earlier thread in {here}", hint=hint, kind=ErrorKind.THREAD_MISSING)
    return ThreadChoice(summary.thread_id, summary.cwd)


def _is_of_here(meta: dict[str, Any], here: str) -> bool:
    """Whether a turn belongs to this directory; a turn on another host does not, whatever its path."""
    return not is_elsewhere(meta.get("server")) and lookup.is_of(meta, here)


def _choice_of(settings: Settings, directory: TurnDir, meta: dict[str, Any]) -> ThreadChoice | None:
    """The thread of a turn; None where it left none."""
    thread_id = meta.get("thread_id") or ""
    if _is_ephemeral(meta) or not _THREAD_ID.fullmatch(thread_id):  # the id becomes part of a path
        return None
    has_begun = meta.get("codex_turn_id") is not None or not directory.error.exists()
    server = meta.get("server")
    if not has_begun and (server is not None or not has_session(settings.codex_home, thread_id)):
        return None  # it failed before Codex began the turn, and Codex makes no session before that
    after, model = _fork_after(directory, meta), meta.get("model")
    return ThreadChoice(thread_id, meta.get("cwd"), directory.turn_id, after, model, server=server)


def _is_ephemeral(meta: dict[str, Any]) -> bool:
    return bool((meta.get("request") or {}).get("is_ephemeral"))


def _no_thread_yet(directory: TurnDir, meta: dict[str, Any]) -> BusyError:
    hint = f"First: `{bounded_wait(directory.turn_id, may_ask=may_ask(meta))}`, then the same command again."
    return BusyError(f"turn {directory.turn_id} has no thread yet", hint=hint)


def _fork_after(directory: TurnDir, meta: dict[str, Any]) -> str | None:
    """Codex's id of a turn whose end it has recorded; it refuses to fork after any other ("in-progress turn").

    None for a turn that runs, or was killed with its Codex: as far as we know it is the last, so the whole thread is
    forked.
    """
    kind = (read_json(directory.error) or {}).get("kind")
    if directory.marker is None or kind in (ErrorKind.CODEX_CRASHED, ErrorKind.WORKER_DIED):
        return None
    codex_turn_id: str | None = meta.get("codex_turn_id")
    return codex_turn_id
