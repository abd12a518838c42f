"""Acting on running turns from another shell. Owns the escalation of a cancel; must never print."""

from __future__ import annotations

import contextlib
import os
import signal

from codex_server_cli.actions.read import read
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.disk.process import living_worker
from codex_server_cli.disk.turn import inbox
from codex_server_cli.disk.turn.contents import meta_of
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import HomeError

CANCEL_TIMEOUT_S = 5.0
"""How long a worker may take to end its turn: a second each for the interrupt, the app-server's end, the sweep."""


def cancel(directories: list[TurnDir]) -> list[TurnView]:
    """Interrupt turns and wait for their end: their commands are killed, their partial answers are kept.

    All requests are posted before the first wait. A worker that does not react in time is killed; the repairer then
    publishes the end, as a cancel because the request is in the inbox. A turn that has ended or may not be read is left
    unchanged.

    Returns:
        The turns after their end, in the same order; a turn that is still `running` could not be ended.

    Raises:
        HomeError: a request cannot be written; the other turns are cancelled anyway.
    """
    failure: HomeError | None = None
    refused: list[TurnDir] = []
    for directory in directories:
        if read.status(directory).state is State.RUNNING:
            try:
                inbox.post(directory, "cancel")
            except OSError as error:
                if not directory.exists:
                    continue  # deleted meanwhile: that ends it too
                hint = "Check who owns it. What else was to be cancelled is: codex-server status tells what runs."
                failure = failure or HomeError(f"cannot write {directory.inbox}: {error.strerror}", hint=hint)
                refused.append(directory)
    views = [_wait_for_end(directory) for directory in directories if directory not in refused]
    if failure is not None:
        raise failure
    return views


def _wait_for_end(directory: TurnDir) -> TurnView:
    view = read.wait(directory, CANCEL_TIMEOUT_S)
    if view.state is State.RUNNING:
        _kill_worker(directory)
        view = read.wait(directory, CANCEL_TIMEOUT_S)
    return view


def _kill_worker(directory: TurnDir) -> None:
    """Kill the worker that `meta.json` names, if start time and boot id prove that it is still the same process."""
    pid = living_worker(meta_of(directory))
    if pid is not None:
        with contextlib.suppress(OSError):  # it has just ended
            os.kill(pid, signal.SIGKILL)
