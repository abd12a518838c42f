"""Reading turns: finding the one that is meant, its state, and waiting for its end. Needs no login and no codex.

Writes only as a repairer, which any reader may be (law 1). Must never print.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.turn_id import time_ms
from codex_server_cli.core.model.view import TurnView, may_ask
from codex_server_cli.core.result.commands import bounded_wait, of_turn
from codex_server_cli.disk import lock
from codex_server_cli.disk.files import read_bytes
from codex_server_cli.disk.turn import lookup, reader
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.reader import TurnReader
from codex_server_cli.disk.turn.refusal import refusal_of
from codex_server_cli.errors import BadInputError, BusyError, HomeError, NotFoundError
from codex_server_cli.settings.places import Settings


def _clean_up(directory: TurnDir) -> None:
    """Clean up after a dead worker. Imports the modules for that only when a turn needs it."""
    from codex_server_cli.worker.cleanup.dead_worker import clean_up

    clean_up(directory)


READER = TurnReader(_clean_up)
"""The reader that every command uses."""


def absent_home(settings: Settings) -> NotFoundError | None:
    """The error where `CODEX_SERVER_HOME` names no directory: probably a typo. The default home may be missing."""
    try:
        settings.home.stat()
    except FileNotFoundError:
        is_absent = settings.is_home_given
    except OSError:  # reading in it reports the error
        is_absent = False
    else:
        is_absent = False
    if not is_absent:
        return None
    hint = "Fix the variable; or `codex-server setup` makes that directory."
    return NotFoundError(f"CODEX_SERVER_HOME is {settings.home}, and there is no such directory", hint=hint)


def check_home(settings: Settings) -> None:
    """Check that the home exists, for commands that would otherwise wait for turns in vain.

    Raises:
        NotFoundError: `CODEX_SERVER_HOME` names no directory.
    """
    problem = absent_home(settings)
    if problem is not None:
        raise problem


def check_codex_home(settings: Settings) -> None:
    """Check that Codex's home exists: Codex itself creates only its default one.

    Raises:
        BadInputError: `CODEX_HOME` names no directory.
    """
    if settings.is_codex_home_named and not settings.codex_home.is_dir():
        from codex_server_cli.codex.login import HOME_HINT  # the same text as for Codex's own report

        what = "is not a directory" if settings.codex_home.exists() else "does not exist"
        raise BadInputError(f"Codex's home {settings.codex_home} {what}", hint=HOME_HINT)


def find(settings: Settings, selector: str, cwd: str | None = None) -> TurnDir:
    """The turn that a selector names: part of its id, its name, or `last`, the newest of `cwd` (default: the current).

    Raises:
        NotFoundError: none, or several, or there is no home to look in.
    """
    check_home(settings)
    return lookup.resolve(settings.turns_path, selector, cwd)


def means_several(selectors: list[str]) -> bool:
    """Whether these may select several turns (a pattern of names may): then each is shown with its name."""
    return len(selectors) > 1 or any(map(lookup.is_pattern, selectors))


def expand(settings: Settings, selectors: list[str]) -> list[str]:
    """Selectors with each pattern (`'rev-*'`) replaced by the ids of the turns whose names match.

    Raises:
        NotFoundError: none matches, or there is no home to look in.
    """
    if not any(map(lookup.is_pattern, selectors)):
        return selectors
    check_home(settings)
    return [
        selector
        for given in selectors
        for selector in (lookup.matching(settings.turns_path, given) if lookup.is_pattern(given) else [given])
    ]


def find_all(settings: Settings, selectors: list[str], cwd: str | None = None) -> list[TurnDir]:
    """The turns that selectors name, each once, in the order given; a pattern may name several.

    Raises:
        NotFoundError: one of them means none, or several, or there is no home to look in.
    """
    found = (find(settings, selector, cwd) for selector in expand(settings, selectors))
    return list({directory.turn_id: directory for directory in found}.values())


def status(directory: TurnDir) -> TurnView:
    """The present state of a turn."""
    return READER.view(directory)


def directory_of(view: TurnView) -> TurnDir:
    """The directory of the turn that a view shows."""
    return TurnDir(Path(view.path))


def status_after_repair(directory: TurnDir) -> TurnView:
    """The present state of a turn; waits first for another command that is repairing a dead one."""
    view = status(directory)
    return status(directory) if reader.outlast_repairer(directory, view) else view


def readable(directory: TurnDir) -> TurnView:
    """The present state of a turn.

    Raises:
        HomeError: it is another user's, and not readable.
    """
    view = status(directory)
    if view.state is State.UNREADABLE:
        error = view.error or {}
        raise HomeError(str(error.get("message")), hint=str(error.get("hint") or ""))
    return view


def refuse_unless_readable(directory: TurnDir, path: Path) -> None:
    """Raise for a file of a turn that we may not read, which would otherwise look empty.

    Raises:
        HomeError: it is not readable.
    """
    try:
        read_bytes(path, max_bytes=0)
    except PermissionError as error:
        raise refusal_of(directory, error) from error
    except OSError:  # missing, or no regular file: the same as an empty one
        return


def running(settings: Settings, cwd: str | None = None) -> list[TurnView]:
    """All running turns, newest first, and those whose state is unknown because they are not readable.

    Args:
        cwd: only those of this directory.
    """
    directories = (TurnDir(settings.turns_path / turn_id) for turn_id in lookup.turn_ids(settings.turns_path))
    # A marker proves an end whatever the lock says, so the cheap look comes first: most turns are over.
    views = (status(directory) for directory in directories if directory.marker is None)
    found = [view for view in views if view.state in (State.RUNNING, State.UNREADABLE)]
    place = os.path.realpath(cwd) if cwd is not None else None
    return [view for view in found if place is None or lookup.is_of(view.meta, place)]


class TurnFilter(NamedTuple):
    """Which turns a listing shows; None means any.

    Attributes:
        state, cwd, thread_ids: of the turn.
        since_ms: started at this Unix time, or later.
        name: a pattern for its name.
        text: a substring of its prompt or name, in any case.
    """

    state: State | None = None
    cwd: str | None = None
    thread_ids: frozenset[str] | None = None
    since_ms: int | None = None
    name: str | None = None
    text: str | None = None


def list_turns(settings: Settings, limit: int, wanted: TurnFilter, before: str | None = None) -> list[TurnView]:
    """The newest turns that pass the filter, newest first; reads no more turns than needed.

    Args:
        before: only turns older than this id, whose turn need not exist any more.
    """
    found: list[TurnView] = []
    for directory in _candidates(settings, wanted, before):
        if len(found) >= limit:
            break
        if wanted.since_ms is not None and (time_ms(directory.turn_id) or 0) < wanted.since_ms:
            break  # ids sort by age
        view = status(directory)
        if view.state is not State.MISSING and wanted.state in (None, view.state):
            found.append(view)
    return found


def _candidates(settings: Settings, wanted: TurnFilter, before: str | None) -> Iterator[TurnDir]:
    if wanted._replace(state=None, since_ms=None) == TurnFilter():
        for turn_id in lookup.turn_ids(settings.turns_path, before):
            yield TurnDir(settings.turns_path / turn_id)
        return
    cwd = os.path.realpath(wanted.cwd) if wanted.cwd is not None else None
    for directory, meta in lookup.iter_meta(settings.turns_path, before):
        name = meta.get("name") or ""
        if (
            (cwd is None or lookup.is_of(meta, cwd))
            and (wanted.thread_ids is None or meta.get("thread_id") in wanted.thread_ids)
            and (wanted.name is None or lookup.has_name(meta, wanted.name))
            and (wanted.text is None or _holds(directory, name, wanted.text.casefold()))
        ):
            yield directory


def _holds(directory: TurnDir, name: str, text: str) -> bool:
    """Whether a turn's prompt or name contains a text; `text` is case-folded."""
    if text in name.casefold():
        return True
    try:
        return text in read_bytes(directory.prompt).decode("utf-8", "replace").casefold()
    except OSError:  # deleted meanwhile, or another user's
        return False


def prompt_beginning(view: TurnView, max_bytes: int = 400) -> str:
    """The beginning of a turn's prompt."""
    try:
        return read_bytes(directory_of(view).prompt, max_bytes=max_bytes).decode("utf-8", "ignore")
    except OSError:
        return ""


def wait(directory: TurnDir, timeout_s: float | None = None) -> TurnView:
    """Sleep until the turn has ended, or the timeout. Uses no processor time: the kernel wakes us.

    Returns:
        The turn then; `state` is `running` after a timeout.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    view = status(directory)
    while view.state is State.RUNNING:
        rest_s = None if deadline is None else deadline - time.monotonic()
        if rest_s is not None and rest_s <= 0:
            break
        lock.wait_until_free(directory.lock, rest_s)
        view = status(directory)
    return view


def answer(directory: TurnDir) -> TurnView:
    """An ended turn, whose `answer` is final.

    Raises:
        BusyError: it is still running.
        HomeError: it is another user's.
    """
    status_after_repair(directory)
    view = readable(directory)
    if view.state is State.RUNNING:
        first = f"{bounded_wait(view.turn_id, may_ask=may_ask(view.meta))} --print answer"
        hint = f"First: `{first}`. Its text so far: `{of_turn('tail', view.turn_id)}`"
        raise BusyError(f"turn {view.turn_id} is still running", hint=hint)
    return view
