"""Deleting one ended turn, as `gc` deletes many. Must never print."""

from __future__ import annotations

from codex_server_cli.actions.read import read
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView, may_ask
from codex_server_cli.core.result.commands import bounded_wait, of_turn
from codex_server_cli.disk.gc import keeping
from codex_server_cli.disk.gc.collect import delete_one
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import BadInputError, BusyError, HomeError
from codex_server_cli.settings.places import Settings


def delete(settings: Settings, directory: TurnDir) -> TurnView:
    """Delete an ended turn, and its worktree where nothing in it is unapplied.

    Returns:
        The turn as it was.

    Raises:
        BusyError: it still runs, or is held.
        BadInputError: `gc` would keep it, too: its worktree holds changes that were not applied, for instance.
        HomeError: it is another user's, or cannot be moved.
    """
    read.status_after_repair(directory)
    view = read.readable(directory)
    if view.state is State.RUNNING:
        first = f"`{of_turn('cancel', view.turn_id)}`, or `{bounded_wait(view.turn_id, may_ask=may_ask(view.meta))}`"
        raise BusyError(f"turn {view.turn_id} is still running", hint=f"First: {first}")
    worktrees = None
    if view.meta.get("worktree") is not None:
        from codex_server_cli.worker.git.unused import Worktrees  # runs git

        worktrees = Worktrees(settings.home)
    try:
        reason = delete_one(directory, worktrees.keeps if worktrees is not None else lambda meta: None)
    except OSError as error:
        hint = "See whose it is, and whether it is mounted read-only."
        raise HomeError(f"cannot delete turn {view.turn_id}: {error.strerror}", hint=hint) from error
    if reason == keeping.RUNNING:
        raise BusyError(f"turn {view.turn_id} is held by another process", hint="Try again in a moment.")
    if reason is not None:
        hint = "`codex-server apply` brings back what a worktree holds; `codex-server gc --dry-run` tells the rest."
        raise BadInputError(f"turn {view.turn_id} has to stay: {reason}", hint=hint)
    if worktrees is not None:
        worktrees.remove_unused()
    return view
