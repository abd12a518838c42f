"""The JSON of `gc`."""

from __future__ import annotations

from codex_server_cli.core.documents.gc import gc_document
from codex_server_cli.core.documents.lean import without_empty
from codex_server_cli.core.model.collected import Collected, Gone, Why
from codex_server_cli.core.model.turn import State

TURN_ID = "20261120-165501-482-7f3a"


def test_each_turn_has_what_it_was_and_why_it_goes_and_then_come_the_sums() -> None:
    turns = (
        Gone(TURN_ID, "rev", State.FAILED, 700_000.4, 65536, Why.AGE),
        Gone(TURN_ID, None, None, 5.0, 1024, Why.MAX_SIZE),
    )
    collected = Collected(turns, 1, 66560, 2, ("another",), {"named": 3}, 4, 5000, (Why.KEEP, Why.MAX_SIZE))
    document = gc_document(collected, is_dry_run=True)
    assert document == {
        "version": 2,
        "dry_run": True,
        "turns": [
            {"turn_id": TURN_ID, "name": "rev", "state": "failed", "age_s": 700_000, "bytes": 65536, "why": "age"},
            {"turn_id": TURN_ID, "name": None, "state": None, "age_s": 5, "bytes": 1024, "why": "max_size"},
        ],
        "bytes": 66560,
        "unfinished": 1,
        "leftovers": 2,
        "kept": {"named": 3},
        "left": 4,
        "left_bytes": 5000,
        "exceeded": ["keep", "max_size"],
        "unreadable": ["another"],
    }
    assert collected.turn_ids == (TURN_ID, TURN_ID)


def test_where_nothing_goes_little_is_said() -> None:
    found = without_empty(gc_document(Collected(), is_dry_run=False))
    assert found == {"version": 2, "dry_run": False, "bytes": 0, "unfinished": 0, "leftovers": 0, "left": 0}
