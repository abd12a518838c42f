"""Lists for people. Owns columns and widths; plain text, the same for a pipe and an 80-column terminal."""

from __future__ import annotations

from collections.abc import Sequence

from codex_server_cli.core.model.view import TurnView
from codex_server_cli.render.escape import one_line

_GAP = "  "


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> str:
    """Aligned columns; the last one gets the rest of `width` and is cut there.

    Args:
        headings: one per column.
        rows: cells of raw text: they are made safe and single-line here.
        width: of the terminal, in characters.
    """
    cells = [[one_line(cell, 400) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)][:-1]
    rest = max(width - sum(widths) - len(_GAP) * len(widths), 10)
    lines = []
    for row in (list(headings), *cells):
        fixed = [cell.ljust(width_) for cell, width_ in zip(row, widths, strict=False)]
        lines.append(_GAP.join([*fixed, one_line(row[-1], rest)]).rstrip())
    return "\n".join(lines) + "\n"


def turns_table(rows: Sequence[tuple[TurnView, str]], width: int) -> str:
    """Turns, each with the beginning of its prompt."""
    if not rows:
        return "No turns.\n"
    has_names = any(view.meta.get("name") for view, _ in rows)
    headings = ("TURN", "STATE", "TIME", "TOKENS", *(("NAME",) if has_names else ()), "PROMPT")
    body = []
    for view, prompt in rows:
        name = (str(view.meta.get("name") or ""),) if has_names else ()
        state = str(view.phase or view.state)
        body.append((view.turn_id, state, duration(view.elapsed_s), _tokens(view), *name, prompt))
    return table(headings, body, width)


def _tokens(view: TurnView) -> str:
    usage = view.result.get("usage") or view.live.get("usage")
    return str(usage.get("total_tokens", "")) if isinstance(usage, dict) else ""


def short_path(path: str, home: str, width: int = 32) -> str:
    """A directory for a column: `~` for the home, and only its end, the most informative part, if it is long."""
    if path == home or path.startswith(f"{home}/"):
        path = "~" + path[len(home) :]
    return path if len(path) <= width else "…" + path[1 - width :]


def duration(seconds: float | None) -> str:
    """A duration in at most seven characters: `1.2 s`, `3m 20s`, `2h 05m`."""
    if seconds is None:
        return ""
    seconds = round(seconds, 1)  # first, so that nothing is ever shown as `60.0 s`
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m {rest:02d}s" if minutes < 60 else f"{minutes // 60}h {minutes % 60:02d}m"
