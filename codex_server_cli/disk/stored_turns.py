"""Owns reading turns from Codex's session files, for when no app-server can be asked. Must never write there."""

from __future__ import annotations

from pathlib import Path

from codex_server_cli.core.history.entries import parse_line, payload_of
from codex_server_cli.core.history.session_file_turns import turns_of_rollout
from codex_server_cli.core.history.stored_turn import find_match
from codex_server_cli.core.protocol.rpc import Message, at
from codex_server_cli.disk.codex_sessions import find_threads
from codex_server_cli.disk.session_tail import START, ends_of


def read_stored_turn(codex_home: Path, thread_id: str, turn_id: str) -> Message | None:
    """A turn from its thread's session file; None where there is no such file, or the turn is not in it."""
    path = _session_file(codex_home, thread_id)
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            return find_match(turns_of_rollout(file), turn_id)
    except OSError:  # another user's, or deleted meanwhile
        return None


def last_turn_id(codex_home: Path, thread_id: str) -> str | None:
    """Codex's id of the last turn of a thread, ours or not; None where it is not known."""
    path = _session_file(codex_home, thread_id)
    return last_turn_in(path) if path is not None else None


def last_turn_in(path: Path) -> str | None:
    """Codex's id of the last turn that has begun.

    None where the file cannot be read, or the turn takes more than its last 16 MB.
    """
    for lines in ends_of(path):
        for line in reversed(lines):
            payload = payload_of(parse_line(line), "event_msg") if START in line else {}
            if payload.get("type") == "task_started":
                return at(payload, "turn_id", str)
    return None


def _session_file(codex_home: Path, thread_id: str) -> Path | None:
    found = find_threads(codex_home, thread_id, limit=1)
    return found[0].path if found and found[0].thread_id == thread_id else None
