"""The garbage collection of old turns, for people. Owns the wording."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_server_cli.core.model.collected import Collected, Why
from codex_server_cli.core.size import size
from codex_server_cli.render.style.when import age
from codex_server_cli.render.tables import duration, table

if TYPE_CHECKING:
    from codex_server_cli.render.style.wrap import Display

_FLAG_OF = {Why.AGE: "age", Why.KEEP: "--keep", Why.MAX_SIZE: "--max-size"}
_HEADINGS = ("TURN", "AGE", "SIZE", "WHY", "STATE", "NAME")
_DAY_S = 86400


def gone_table(collected: Collected, width: int) -> str:
    """The turns that would be deleted, oldest first; empty if there are none."""
    return table(_HEADINGS, _rows(collected), width) if collected.turns else ""


def gone_view(collected: Collected, display: Display) -> str:
    """The same for a terminal."""
    from codex_server_cli.render.style.grid import styled_table  # a pipe needs none of it

    rows = [
        (turn, age(0, int(gone.age_s * 1000)), *more)
        for (turn, _, *more), gone in zip(_rows(collected), collected.turns, strict=True)
    ]
    return styled_table(_HEADINGS, rows, display) if rows else ""


def _rows(collected: Collected) -> list[tuple[str, ...]]:
    return [
        (turn.turn_id, _age(turn.age_s), size(turn.n_bytes), _FLAG_OF[turn.why], str(turn.state or ""), turn.name or "")
        for turn in collected.turns
    ]


def summary(collected: Collected, *, is_dry_run: bool) -> str:
    """One line with the sums."""
    n_turns = len(collected.turns)
    parts = [f"{'would delete' if is_dry_run else 'deleted'} {n_turns} {'turn' if n_turns == 1 else 'turns'}"]
    parts += [f"{collected.orphans} unfinished directories"] if collected.orphans else []
    parts += [f"{collected.leftovers} unused locks and tickets"] if collected.leftovers else []
    return ", ".join([*parts, size(collected.freed_bytes)])


def remarks(collected: Collected, max_size: str | None, keep: int | None) -> list[str]:
    """The turns that are kept although they exceed a bound, and the bounds that are still exceeded: one line each.

    Args:
        max_size, keep: the bounds as given.
    """
    lines = []
    if collected.kept:
        lines.append(f"kept: {', '.join(f'{number} {reason}' for reason, number in sorted(collected.kept.items()))}")
    if Why.KEEP in collected.exceeded:
        lines.append(f"{collected.n_left} ended turns are left, more than --keep {keep}")
    if Why.MAX_SIZE in collected.exceeded:
        lines.append(
            f"the ended turns that are left take {size(collected.left_bytes or 0)}, more than --max-size {max_size}"
        )
    if collected.unreadable:
        lines.append(f"left alone, because they cannot be read (another user's): {', '.join(collected.unreadable)}")
    return lines


def _age(seconds: float) -> str:
    return f"{seconds / _DAY_S:.1f} days" if seconds >= _DAY_S else duration(max(seconds, 0.0))
