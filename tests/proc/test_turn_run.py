"""A turn in the worker, where there is nothing of it any more. The rest of it is run for real: `tests/e2e`."""

from __future__ import annotations

from pathlib import Path

from codex_server_cli.core.outcome import Cause
from codex_server_cli.disk import journal, queue
from codex_server_cli.disk.turn_dir import TurnDir
from codex_server_cli.proc.claims import Claims
from codex_server_cli.proc.turn_run import run_turn


def test_a_turn_that_was_deleted_in_line_leaves_it_and_is_told_as_cancelled(tmp_path: Path) -> None:
    turns_path = tmp_path / "home" / "turns"
    turns_path.mkdir(parents=True)
    with queue.in_order(queue.folder_of(turns_path)) as order:
        ticket = order.take_ticket()
    claims = Claims(turns_path, ticket, None)
    claims.slot = queue.take_slot(queue.folder_of(turns_path), ticket.turn_id, 1)
    run_turn(TurnDir(turns_path / ticket.turn_id), claims, stop_cause=Cause.CANCELLED)
    told = [(entry["turn_id"], entry["event"], entry["state"]) for _, entry in journal.read(tmp_path / "home")]
    assert told == [(ticket.turn_id, "end", "cancelled")]
    assert claims.slot is None
    assert not (queue.folder_of(turns_path) / ticket.turn_id).exists()
    assert list(turns_path.iterdir()) == []
