"""The commands that can be run next for a turn: the `next` of its documents.

After a failure they are those of the stored hint, which `hints` decided.

Must stay light while a turn runs: `new` and `status` import it.
"""

from __future__ import annotations

from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView, may_ask
from codex_server_cli.core.result.commands import bounded_wait, commands_in, of_turn, resume


def next_commands(view: TurnView) -> dict[str, str]:
    """Commands that work verbatim, by verb; the first is the one to run next."""
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
    hint = str((view.error or {}).get("hint") or "")
    found: dict[str, str] = {}
    for command in commands_in(hint):
        found.setdefault(command.split(" ", 2)[1], command)  # of two the hint names the better one first
    if view.answer:
        found["answer"] = of_turn("answer", turn_id)
    found["tail"] = of_turn("tail", turn_id)
    if view.has_worktree:
        found["apply"] = of_turn("apply", turn_id)
    if view.error is None and view.is_resumable:
        found["continue"] = go_on_command(view)
    return found


def next_command(view: TurnView, *, is_answer_told: bool = False, has_asked_codex: bool = False) -> dict[str, str]:
    """The one of `next_commands` to run now; empty if there is none, as after a cancel.

    Args:
        is_answer_told: the document has the whole answer.
        has_asked_codex: `recover` was run just now, so it is not the next step.
    """
    commands = next_commands(view)
    if view.state is State.RUNNING:
        verb = "pending" if "pending" in commands else "wait"
    elif view.error is not None:
        hinted = [] if view.state is State.CANCELLED else commands_in(str(view.error.get("hint") or ""))
        passed_over = ("recover", "answer", "tail") if has_asked_codex else ()
        verb = next((each for each in commands if hinted and each not in passed_over), "")
    else:
        on = "apply" if view.has_worktree else "continue"
        verb = on if is_answer_told or not view.answer else "answer"
    return {verb: commands[verb]} if verb in commands else {}


def go_on_command(view: TurnView) -> str:
    """The command for the next turn of its thread, with the prompt on stdin; the name is not reused."""
    return resume(view.turn_id, "-", _flags_of(view), view.path, name=None)


def _flags_of(view: TurnView) -> dict[str, list[str]]:
    """The flags that the turn was started with; empty if an older version did not store them."""
    return (view.meta.get("request") or {}).get("flags") or {}
