"""What can be done next with a turn, as it stands: the `next` of its documents. After a failure `hints` decides.

Must stay light while a turn runs: `new` and `status` import it.
"""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.commands import bounded_wait, of_turn, resume
from codex_server_cli.core.turn import State
from codex_server_cli.core.view import TurnView, may_ask
from codex_server_cli.errors import ErrorKind


def next_commands(view: TurnView) -> dict[str, str]:
    """Commands that work as they stand, each under its verb; the first is the one to run next."""
    turn_id = view.turn_id
    if view.state is State.RUNNING:
        return ({"pending": of_turn("pending", turn_id)} if view.live.get("pending") else {}) | {
            "wait": bounded_wait(turn_id, may_ask=may_ask(view.meta)),
            "tail": of_turn("tail", f"{turn_id} --follow"),
            "status": of_turn("status", turn_id),
            "cancel": of_turn("cancel", turn_id),
        }
    if view.state is State.UNREADABLE:
        return {}
    found = _after_error(view, view.error) if view.error is not None else {}
    if view.answer:
        found["answer"] = of_turn("answer", turn_id)
    found["tail"] = of_turn("tail", turn_id)
    if view.error is None and view.is_resumable:
        found["continue"] = go_on_command(view)
    return found


def go_on_command(view: TurnView) -> str:
    """The next turn of its thread, with a text that comes on stdin; the turn's name stays its own."""
    return resume(view.turn_id, "-", _flags_of(view), view.path, name=None)


def _flags_of(view: TurnView) -> dict[str, list[str]]:
    """The flags that the turn was started with; none where its record was edited beyond reading."""
    request = view.meta.get("request")
    flags = request.get("flags") if isinstance(request, dict) else None
    if not isinstance(flags, dict) or not all(isinstance(values, list) for values in flags.values()):
        return {}
    return {name: [str(value) for value in values] for name, values in flags.items()}


def _after_error(view: TurnView, error: dict[str, Any]) -> dict[str, str]:
    from codex_server_cli.core.hints import End, commands_after  # with what only a failure needs
    from codex_server_cli.core.request import TurnRequest

    kind = error.get("kind")
    end = End(
        ErrorKind(kind) if kind in list(ErrorKind) else ErrorKind.INTERNAL,  # a newer version's word
        str(error.get("message") or ""),
        resets_at=error.get("resets_at"),
        is_resumable=view.is_resumable,
        has_begun=view.meta.get("codex_turn_id") is not None,
        codex_error=error.get("codex_error"),
    )
    request = TurnRequest.of_meta(view.meta, view.turn_id, f"{view.path}/prompt.txt")
    return {command.split(" ", 2)[1]: command for command in commands_after(end, request)}
