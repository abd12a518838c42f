"""What turns wait for, in full, for the user of another shell: one block per request.

Text of a model or a server stands behind a bar, however long its lines are: it cannot pass for our own output.
"""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.documents.turn import answer_commands, time_left_s
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.render.approvals import question_text, questions_of, request_text
from codex_server_cli.render.escape import neutralise, one_line
from codex_server_cli.render.tables import duration

_BAR = "│ "
_NARROWEST = 20
_WIDEST = 10_000


def pending_text(view: TurnView, entry: dict[str, Any], now_ms: int, width: int | None) -> str:
    """One request: which it is, what is asked, and the commands that decide it; ends with a newline.

    Args:
        entry: of `pending.json`.
        now_ms: Unix time, for the time left.
        width: of the terminal, in characters; None leaves lines as long as they are.
    """
    name = f" ({view.meta['name']})" if view.meta.get("name") else ""
    left_s = time_left_s(entry, now_ms)
    left = f" · {duration(left_s)} left" if left_s is not None else ""
    asked = [request_text(entry), *(question_text(each) for each in questions_of(entry))]
    lines = [one_line(f"{view.turn_id}{name} · request {entry.get('id')} · {entry.get('kind')}{left}", _WIDEST)]
    text = neutralise("\n".join(part for part in asked if part))
    lines += [_BAR + piece for line in text.split("\n") for piece in _cut(line, width)]
    commands = answer_commands(view.turn_id, entry)
    pad = max(map(len, commands))
    # A question's id is part of a command: it is untrusted, too, and must not begin a line.
    lines += [
        f"{label.replace('_', ' ').ljust(pad)}  {one_line(command, _WIDEST)}" for label, command in commands.items()
    ]
    return "\n".join(lines) + "\n"


def _cut(line: str, width: int | None) -> list[str]:
    if width is None:
        return [line]
    room = max(width - len(_BAR), _NARROWEST)
    return [line[start : start + room] for start in range(0, max(len(line), 1), room)]
