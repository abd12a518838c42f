"""A chat on one thread: each exchange is an ordinary turn on disk, started, followed and ended like any other.

Owns which thread the next exchange continues, what a follower of an exchange sees, and the input history. Unlike other
verbs, a chat outlives its turns: it spawns a worker only after the turn is checked, and reaps it afterwards. Must never
print, talk to codex itself, or interpret how a turn ended.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from codex_server_cli.actions.control import approvals
from codex_server_cli.actions.read import read
from codex_server_cli.actions.start import checks, start, thread_writer, threads
from codex_server_cli.actions.start.options import GivenServer, StartOptions, ThreadChoice
from codex_server_cli.core.history.entries import ThreadEntry
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.protocol.event_log import read_events
from codex_server_cli.core.protocol.jsonl import LineDecoder
from codex_server_cli.core.protocol.rpc import Message
from codex_server_cli.disk.codex_sessions import ThreadSummary
from codex_server_cli.disk.files import tail_text, write_all
from codex_server_cli.disk.safe_open import opened_regular
from codex_server_cli.disk.turn.follow import GrowingFile, wakeups
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import CodexServerError
from codex_server_cli.settings.config import read_config
from codex_server_cli.settings.places import Settings
from codex_server_cli.worker.launch import Launch

HISTORY_BYTES = 256 * 1024
"""How much of the history's end is read."""

_NAMED = 200  # how many of the newest turns are searched for the names of conversations

MOST_LINE_CHARS = 64 * 1024
"""A longer line is not stored: a few of them would fill the history."""


class Seen(NamedTuple):
    """One snapshot of a followed turn.

    Attributes:
        view: the turn; has an end state only in the last snapshot.
        events: those since the previous snapshot, in both directions, in the format of `events.jsonl`.
        pending: the requests that wait for a person; see `approvals.pending_of`.
    """

    view: TurnView
    events: list[Message]
    pending: list[dict[str, Any]]

    @property
    def is_end(self) -> bool:
        """Whether nothing more will come."""
        return self.view.state is not State.RUNNING


class ChatTurn:
    """One turn of the conversation, started here or running before.

    Attributes:
        directory: of the turn.
        warnings: for people, from its start.
    """

    def __init__(self, directory: TurnDir, warnings: tuple[str, ...] = (), worker: Launch | None = None) -> None:
        self.directory = directory
        self.warnings = warnings
        self._worker = worker
        self._is_left = False

    def follow(self) -> Iterator[Seen]:
        """Yield snapshots from the turn's first event to its end, or until `leave`; blocks in between."""
        decoder = LineDecoder()
        with GrowingFile(self.directory.events) as file:
            for _ in wakeups(self.directory.path):
                if self._is_left:
                    return
                view = read.status(self.directory)  # before the events: the other order can miss the last ones (law 2)
                events = list(read_events(decoder.feed(file.read_more())))
                yield Seen(view, events, approvals.pending_of(view))
                if view.state is not State.RUNNING:
                    break
        if self._worker is not None:
            self._worker.reap()

    def leave(self) -> None:
        """Stop following; the turn goes on."""
        self._is_left = True


def begin(settings: Settings, options: StartOptions, choice: ThreadChoice | None, *, is_fork: bool = False) -> ChatTurn:
    """Start the next exchange: on the thread of `choice` or a copy of it, else on a new one.

    Raises:
        CodexServerError: as `start.new` and `start.go_on`; nothing was made.
    """
    worker = Launch()  # spawned once the turn is checked: a refused one must leave no worker in a long-lived program
    if choice is None:
        started = start.new(settings, options, worker)
    else:
        started = start.go_on(settings, options, worker, choice, is_fork=is_fork)
    return ChatTurn(TurnDir(Path(started.view.path)), started.warnings, worker)


def compact(settings: Settings, options: StartOptions, choice: ThreadChoice, *, is_fork: bool = False) -> ChatTurn:
    """Start a turn in which Codex replaces the content of the thread by a summary.

    Raises:
        CodexServerError: as `begin`.
    """
    return begin(settings, options._replace(prompt="/compact", is_compaction=True), choice, is_fork=is_fork)


class ChatTarget(NamedTuple):
    """The thread that a conversation continues.

    Attributes:
        choice: the thread; None for a new one.
        is_fork: the next exchange goes on from a copy of it.
        running: a turn that writes the thread now; it is followed first.
    """

    choice: ThreadChoice | None = None
    running: ChatTurn | None = None
    is_fork: bool = False


def target_after(settings: Settings, chat_turn: ChatTurn, before: ChatTarget) -> ChatTarget:
    """The target after an exchange: its thread, or the target before it where it left no thread."""
    with contextlib.suppress(CodexServerError):  # it failed before it had one, or was deleted meanwhile
        return ChatTarget(threads.choose_by_turn(settings, chat_turn.directory.turn_id, None))
    return before._replace(running=None)


def with_directory(settings: Settings, options: StartOptions) -> StartOptions:
    """The options for a whole chat, with the directory checked if it is one of this machine.

    Raises:
        CodexServerError: as `start.new`, for the directory and the server.
    """
    if options.cwd is None:
        return options
    server = start.choose_server(settings, options, read_config(settings.config_path), None)[1]
    if server is not None and server.is_elsewhere:
        return options
    return options._replace(cwd=checks.check_cwd(options.cwd))


def target_of_last(settings: Settings, cwd: str | None, server: GivenServer | None = None) -> ChatTarget:
    """The newest thread of this directory.

    Raises:
        BadInputError, BusyError: as `threads.choose_last`.
    """
    return _target_of(settings, threads.choose_last(settings, cwd, server))


def target_of_thread(settings: Settings, thread: str, server: GivenServer | None = None) -> ChatTarget:
    """The thread of this id or unique prefix.

    Raises:
        NotFoundError: none, or several.
    """
    return _target_of(settings, threads.choose_by_id(settings, thread, server))


def target_of_turn(settings: Settings, selector: str, cwd: str | None) -> ChatTarget:
    """The thread of this turn; a running turn is followed first.

    Raises:
        NotFoundError: no such turn, or several.
        BadInputError: it left no thread to continue.
    """
    return _target_of_turn(settings, read.find(settings, selector, cwd))


def target_of(settings: Settings, selector: str, cwd: str | None) -> ChatTarget:
    """The thread of the turn that the selector names, else the thread that it names.

    Raises:
        NotFoundError, HomeError, BadInputError: as `threads.find_either`, and as `target_of_turn`.
    """
    found = threads.find_either(settings, selector, cwd)
    if isinstance(found, TurnDir):
        return _target_of_turn(settings, found)
    return _target_of(settings, ThreadChoice(found.thread_id, found.cwd))


def _target_of_turn(settings: Settings, directory: TurnDir) -> ChatTarget:
    if read.status(directory).state is State.RUNNING:
        return ChatTarget(running=ChatTurn(directory))
    return _target_of(settings, threads.choose_by_turn(settings, directory.turn_id, None))


def _target_of(settings: Settings, choice: ThreadChoice) -> ChatTarget:
    holder = thread_writer.holder_of_thread(settings, choice.thread_id)
    if holder is None or holder.turn_id is None:
        return ChatTarget(choice)
    return ChatTarget(choice, ChatTurn(read.find(settings, holder.turn_id)))


def last_entries(settings: Settings, choice: ThreadChoice, limit: int) -> list[ThreadEntry]:
    """The last entries of a thread, shown when a chat resumes it; `[]` where Codex has no record of it."""
    try:
        return list(threads.show(settings, choice.thread_id, limit=limit).entries)
    except CodexServerError:  # deleted or archived in Codex, or another user's
        return []


def last_turn(settings: Settings, thread_id: str) -> TurnView | None:
    """The newest of our turns on a thread; None where none of its turns is ours."""
    return next(iter(read.list_turns(settings, 1, read.TurnFilter(thread_ids=frozenset([thread_id])))), None)


class Resumable(NamedTuple):
    """A conversation that can be continued.

    Attributes:
        name: the thread's name in Codex, else that of its newest named turn.
        running: the turn that runs on it, if any.
    """

    thread: ThreadSummary
    name: str | None
    running: TurnView | None


def resumable(settings: Settings, limit: int, but: str | None) -> list[Resumable]:
    """The newest conversations of all directories, including those that other programs started.

    Args:
        but: a thread to leave out.

    Raises:
        HomeError: as `threads.recent`.
    """
    names = {view.thread_id: view.meta.get("name") for view in reversed(_newest_named(settings))}
    running = {view.thread_id: view for view in reversed(read.running(settings)) if view.state is State.RUNNING}
    return [
        Resumable(each, each.name or names.get(each.thread_id), running.get(each.thread_id))
        for each in threads.recent(settings, limit=limit, cwd=None, search=None)
        if each.thread_id != but
    ]


def _newest_named(settings: Settings) -> list[TurnView]:
    return [view for view in read.list_turns(settings, _NAMED, read.TurnFilter()) if view.meta.get("name")]


# --- the input history: prompt_toolkit's format


def read_history(settings: Settings) -> list[str]:
    """Earlier inputs, newest first."""
    found: list[str] = []
    lines: list[str] = []
    for line in [*tail_text(_history_path(settings), HISTORY_BYTES).split("\n"), ""]:
        if line.startswith("+"):
            lines.append(line[1:])
        elif lines:
            found.append("\n".join(lines))
            lines = []
    return found[::-1]


def add_to_history(settings: Settings, text: str) -> None:
    """Append an input to the history, readable by its owner alone; best effort."""
    if len(text) > MOST_LINE_CHARS:
        return
    lines = "".join(f"+{line}\n" for line in text.encode("utf-8", "replace").decode().split("\n"))
    entry = f"\n# {time.strftime('%Y-%m-%d %H:%M:%S')}\n{lines}"
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    with contextlib.suppress(OSError), opened_regular(_history_path(settings), flags) as fd:
        write_all(fd, entry.encode())


def _history_path(settings: Settings) -> Path:
    return settings.home / "chat_history"
