"""The work tree before a turn and after it: finds what commands wrote, which Codex's own diff lacks.

Owns when the two states are taken, and the limit: 2 s each, else only patches are known. The first one is taken in a
thread while Codex starts, and waited for before the turn is sent; the second one after all processes of the turn have
ended. Changes by others meanwhile count as written by a command.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import threading
import time
from pathlib import Path

from codex_server_cli import TURN_VARIABLE
from codex_server_cli.core.record.changes import Changes, ChangeSet, with_tree
from codex_server_cli.disk.files import read_json, write_json
from codex_server_cli.disk.safe_open import make_directory
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.worker.git.tree_state import (
    LIMIT_S,
    SnapshotError,
    TreeState,
    WorkTree,
    copy_index,
    find_work_tree,
)
from codex_server_cli.worker.log import say

_STATE = "state.json"
_KILL_S = 0.1  # of the limit, for ending a git that is too slow


class Snapshot:
    """The state of a turn's work tree before it, and what differs after it. For the worker.

    Attributes:
        cwd: the turn's directory.
        changes: those of its patches; set it before `finish`.
    """

    def __init__(self, directory: TurnDir, cwd: str) -> None:
        self.changes = Changes()
        self._directory = directory
        self.cwd = cwd
        self._thread: threading.Thread | None = None
        self._deadline = 0.0
        self._problem: str | None = None
        self._has_waited = False
        self._taken: tuple[TreeState, WorkTree, str] | None = None
        self._before: tuple[TreeState, WorkTree, str] | None = None

    def begin(self) -> None:
        """Start taking the first state; idempotent."""
        if self._thread is None:
            self._deadline = time.monotonic() + LIMIT_S
            self._thread = threading.Thread(target=self._take, daemon=True)
            self._thread.start()

    def wait_for_first_state(self) -> None:
        """Wait for the first state, before any command can write, up to the time limit."""
        if self._thread is None or self._has_waited:
            return
        self._has_waited = True
        self._thread.join(max(0.0, self._deadline - time.monotonic()))
        self._before = self._taken
        if self._before is None:
            reason = self._problem or f"git did not finish within {LIMIT_S:g} s"
            say(f"what commands write will not be known: {reason}")
            return
        _, tree, name = self._before
        with contextlib.suppress(OSError):  # a full disk: only readers of the running turn need it
            write_json(self._directory.snapshot / _STATE, {"version": 1, "tree": name, **tree._asdict()})

    def finish(self) -> ChangeSet | None:
        """What differs now, commands' changes marked; None where only patches are known. Deletes the first state."""
        if self._before is None:
            if self._thread is not None:  # the turn ended before it was sent
                self._thread.join(max(0.0, self._deadline - time.monotonic()))
            self._remove()
            return None
        state, tree, before = self._before
        deadline = time.monotonic() + LIMIT_S - _KILL_S
        handler = signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # so that git's exit codes are not lost
        try:
            return _compared(state, tree, before, self.changes, self.cwd, deadline)
        except SnapshotError as error:
            say(f"what commands wrote is not known: {error}")
            return None
        finally:
            signal.signal(signal.SIGCHLD, handler)
            self._remove()

    def _take(self) -> None:
        deadline = self._deadline - _KILL_S
        try:
            mark = {TURN_VARIABLE: self._directory.turn_id}  # so that git ends with the turn if we are killed
            tree = find_work_tree(self.cwd, deadline, mark)
            folder = self._directory.snapshot
            make_directory(folder)
            copy_index(tree, folder)
            state = TreeState(folder, tree, _home_of(self._directory), mark=mark)
            name = state.write(deadline)
        except Exception as error:  # an error in a thread would be lost
            self._problem = str(error)
            self._remove()
        else:
            self._taken = (state, tree, name)

    def _remove(self) -> None:
        shutil.rmtree(self._directory.snapshot, ignore_errors=True)


def live_changes(directory: TurnDir, changes: Changes, cwd: str, scratch: Path) -> ChangeSet | None:
    """What a running turn has changed so far; None where only patches are known.

    Args:
        changes: those of its patches.
        scratch: an empty folder: nothing is written in the turn's directory.
    """
    stored = read_json(directory.snapshot / _STATE) or {}
    try:
        before = stored.pop("tree")
        del stored["version"]
        tree = WorkTree(**stored)
        shutil.copy2(directory.snapshot / "index", scratch)
        objects = str(directory.snapshot / "objects")
        state = TreeState(scratch, tree, _home_of(directory), [objects])
        return _compared(state, tree, before, changes, cwd, time.monotonic() + LIMIT_S)
    except (KeyError, TypeError, OSError, SnapshotError):  # not taken; or just deleted, because the turn has ended
        return None


def _compared(state: TreeState, tree: WorkTree, before: str, changes: Changes, cwd: str, deadline: float) -> ChangeSet:
    """What differs between the first state and now."""
    files = state.compare(before, state.write(deadline), deadline)
    real = {path: _real(path) for path in changes.paths}  # git's names have no symlinks
    patched = [file.renamed(lambda name: real.get(name, name)) for file in changes.found(cwd).files]
    inside = {file.path.removeprefix(tree.prefix) for file in patched if file.path.startswith(tree.prefix)}
    seen = inside - state.unseen(inside - {file.path for file in files}, deadline)
    beyond = [file for file in patched if file.path.removeprefix(tree.prefix) not in seen]
    return with_tree(files, tree.prefix, set(real.values()), beyond)


def _home_of(directory: TurnDir) -> Path:
    return directory.path.parents[1]


def _real(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{os.path.realpath(folder or '/').rstrip('/')}/{name}"
