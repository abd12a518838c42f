"""The JSON of `gc`: a versioned contract (README, "JSON"). Owns its keys."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.documents.turn import VERSION
from codex_server_cli.core.model.collected import Collected


def gc_document(collected: Collected, *, is_dry_run: bool) -> dict[str, Any]:
    """What was deleted, or would be, and what was kept."""
    return {
        "version": VERSION,
        "dry_run": is_dry_run,
        "turns": [
            {
                "turn_id": turn.turn_id,
                "name": turn.name,
                "state": str(turn.state) if turn.state is not None else None,
                "age_s": round(turn.age_s),
                "bytes": turn.n_bytes,
                "why": str(turn.why),
            }
            for turn in collected.turns
        ],
        "bytes": collected.freed_bytes,
        "unfinished": collected.orphans,
        "leftovers": collected.leftovers,
        "kept": dict(collected.kept),
        "left": collected.n_left,
        "left_bytes": collected.left_bytes,
        "exceeded": [str(bound) for bound in collected.exceeded],
        "unreadable": list(collected.unreadable),
    }
