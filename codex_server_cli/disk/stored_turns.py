"""Owns reading turns from Codex's session files, for when no app-server can be asked. Must never write there."""

from __future__ import annotations

from pathlib import Path

from codex_server_cli.core.history.session_file_turns import turns_of_rollout
from codex_server_cli.core.history.stored_turn import find_match
from codex_server_cli.core.protocol.rpc import Message
from codex_server_cli.disk.codex_sessions import find_threads


def read_stored_turn(codex_home: Path, thread_id: str, turn_id: str) -> Message | None:
    """A turn from its thread's session file; None where there is no such file, or the turn is not in it."""
    found = find_threads(codex_home, thread_id, limit=1)
    if not found or found[0].thread_id != thread_id:
        return None
    try:
        with found[0].path.open("rb") as file:
            return find_match(turns_of_rollout(file), turn_id)
    except OSError:  # another user's, or deleted meanwhile
        return None
