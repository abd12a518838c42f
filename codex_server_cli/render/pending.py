"""The pending requests of turns, in full, for the user of another shell: one block per request.

Text of a model or a server has a bar before each line, so that it cannot be mistaken for our own output.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from codex_server_cli.core.documents.turn import answer_commands, time_left_s
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.render.approvals import AskedRow, question_rows, questions_of, request_rows
from codex_server_cli.render.escape import neutralise, one_line
from codex_server_cli.render.style.cells import BAR, cells
from codex_server_cli.render.style.ink import PLAIN, Ink, Style
from codex_server_cli.render.tables import duration

_WIDEST = 10_000


def pending_text(view: TurnView, entry: dict[str, Any], now_ms: int, width: int | None, ink: Ink = PLAIN) -> str:
    """One request: its id, its content, and the commands that decide it; ends with a newline.

    Args:
        view: the turn; the commands use its id.
        entry: of `pending.json`.
        now_ms: Unix time, for the time left.
        width: of the terminal, in cells; None does not break lines.
        ink: colours it, if allowed.
    """
    name = f" ({view.meta['name']})" if view.meta.get("name") else ""
    left_s = time_left_s(entry, now_ms)
    left = f" · {duration(left_s)} left" if left_s is not None else ""
    head = one_line(f"{view.turn_id}{name} · request {entry.get('id')} · {entry.get('kind')}{left}", _WIDEST)
    parts = [*request_rows(entry), *question_rows(questions_of(entry))]
    return "".join(
        f"{line}\n"
        for line in (
            *_head_lines(head, width, ink),
            *(_uncut(parts) if width is None else _laid_out(parts, width, ink)),
            *_command_lines(answer_commands(view.turn_id, entry), width, ink),
        )
    )


def _head_lines(head: str, width: int | None, ink: Ink) -> Iterator[str]:
    first, *others = [head] if width is None else _wrapped(f"! {head}", width)
    yield ink(first, Style.WARNING)
    yield from (f"  {ink(other, Style.WARNING)}" for other in others)


def _uncut(parts: Sequence[AskedRow]) -> list[str]:
    """Each line after the bar, unbroken."""
    text = neutralise("\n".join(part.text for part in parts))
    return [BAR + line for line in text.split("\n")]


def _laid_out(parts: Sequence[AskedRow], width: int, ink: Ink) -> list[str]:
    from codex_server_cli.render.turns.asked import asked_lines  # a pipe needs none of it

    return asked_lines(parts, width, ink)


def _wrapped(line: str, width: int) -> list[str]:
    from codex_server_cli.render.style.wrap import wrapped

    return wrapped(line, width)


def _command_lines(commands: dict[str, str], width: int | None, ink: Ink) -> Iterator[str]:
    """The commands that decide, each on its own line: beside its label, or below it if that is too wide."""
    pad = max(map(len, commands))
    # A command may contain a question's id, which is untrusted and must not begin a line.
    shown = {label.replace("_", " "): one_line(command, _WIDEST) for label, command in commands.items()}
    is_below = width is not None and pad + 2 + max(map(cells, shown.values())) > width
    for label, command in shown.items():
        if is_below:
            yield ink(label, Style.DIM)
        yield f"{'' if is_below else label.ljust(pad)}  {ink(command, Style.BOLD)}"
