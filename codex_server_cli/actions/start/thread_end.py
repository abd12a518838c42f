"""Whether a turn of ours is the last of its thread. Apart from `thread_writer`, which `continue` imports."""

from __future__ import annotations

from codex_server_cli.actions.read.read import TurnFilter, list_turns
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.disk.stored_turns import last_turn_id
from codex_server_cli.settings.places import Settings


def is_last_of_thread(settings: Settings, view: TurnView) -> bool:
    """Whether this turn is the last of its thread.

    Codex's session file is authoritative: a later turn may be deleted by now, or may not have been ours.
    """
    if view.thread_id is None:
        return True
    last, codex_turn_id = last_turn_id(settings.codex_home, view.thread_id), view.meta.get("codex_turn_id")
    if None not in (last, codex_turn_id) and last != codex_turn_id:
        return False
    newest = list_turns(settings, 1, TurnFilter(thread_ids=frozenset([view.thread_id])), None)
    return [each.turn_id for each in newest] in ([], [view.turn_id])
