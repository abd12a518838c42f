"""The JSON documents on stdout: a versioned contract (README, "JSON"). Owns their keys and the `next` commands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from codex_server_cli.core.hints import KINDS_UNSEEN_TO_THE_END
from codex_server_cli.core.turn import State
from codex_server_cli.core.view import TurnView

if TYPE_CHECKING:
    from codex_server_cli.core.notice import Notice

PROGRAM = "codex-server"
WAIT_TIMEOUT_S = 100
"""A wait that fits into the two minutes that an agent's shell allows."""


def dump(document: Any, *, is_indented: bool) -> str:
    """The text of a document: indented for people, one line for programs. Always ASCII-safe where UTF-8 is not."""
    text = json.dumps(document, ensure_ascii=False, indent=2 if is_indented else None)
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate: only the escaped form can be written
        text = json.dumps(document, indent=2 if is_indented else None)
    return text


def paths(view: TurnView) -> dict[str, str]:
    """Where the files of a turn are."""
    return {
        "turn_dir": view.path,
        "out_path": f"{view.path}/out.txt",
        "events_path": f"{view.path}/events.jsonl",
        "done_marker": f"{view.path}/done",
        "error_marker": f"{view.path}/error",
        "meta_path": f"{view.path}/meta.json",
    }


def started(view: TurnView) -> dict[str, Any]:
    """The answer of `new` and `continue`."""
    return {
        "version": 1,
        "turn_id": view.turn_id,
        "thread_id": view.thread_id,
        "state": str(view.state),
        **paths(view),
        "next": next_commands(view),
    }


def status(view: TurnView) -> dict[str, Any]:
    """One turn; a missing one has its id and state alone."""
    if view.state is State.MISSING:
        return {"version": 1, "turn_id": view.turn_id, "state": "missing"}
    meta, live = view.meta, view.live
    return {
        "version": 1,
        "turn_id": view.turn_id,
        "name": meta.get("name"),
        "state": str(view.state),
        "phase": str(view.phase) if view.phase else None,
        "thread_id": view.thread_id,
        "codex_turn_id": meta.get("codex_turn_id"),
        "cwd": meta.get("cwd"),
        "model": meta.get("model"),
        "effort": meta.get("effort"),
        "sandbox": meta.get("sandbox"),
        "approval": meta.get("approval"),
        "started_at": meta.get("started_at"),
        "finished_at": meta.get("finished_at"),
        "last_activity": live.get("last_activity") or meta.get("finished_at"),
        "elapsed_s": view.elapsed_s,
        "usage": view.result.get("usage") or live.get("usage"),
        "limits": view.result.get("limits"),
        "pending": live.get("pending") or [],
        "error": view.error,
        **paths(view),
        "next": next_commands(view),
    }


def status_with_answer(view: TurnView) -> dict[str, Any]:
    """The status and the answer: what `new --wait` prints at the end."""
    return {**status(view), "answer": view.answer}


def recovered(view: TurnView, message: str, *, is_recovered: bool) -> dict[str, Any]:
    """The answer of `recover`: the turn afterwards, its answer, whether anything was restored, and what there was."""
    return {**status_with_answer(view), "recovered": is_recovered, "message": message}


def several(views: list[TurnView]) -> dict[str, Any]:
    """Several turns in one document."""
    return {"version": 1, "turns": [status(view) for view in views]}


def notice(seen: Notice) -> dict[str, Any]:
    """One line of the monitor's stream; `next` is the command for what a person or a program must do about it."""
    command = None
    if seen.event in ("attention", "end"):
        verb = "answer" if seen.state == State.COMPLETE else "status"
        command = f"{PROGRAM} {verb} {seen.turn_id}"
    return {"version": 1, **seen._asdict(), "next": command}


def wait_command(turn_id: str, options: str = "") -> str:
    """The command that waits for a turn; `options` begin with a space."""
    return f"{PROGRAM} wait {turn_id}{options}"


def next_commands(view: TurnView) -> dict[str, str]:
    """What can be done next, as commands that work as they stand."""
    turn_id = view.turn_id
    if view.state is State.RUNNING:
        return {
            "wait": wait_command(turn_id, f" --timeout {WAIT_TIMEOUT_S}"),
            "tail": f"{PROGRAM} tail {turn_id} --follow",
            "status": f"{PROGRAM} status {turn_id}",
            "cancel": f"{PROGRAM} cancel {turn_id}",
        }
    commands = {"answer": f"{PROGRAM} answer {turn_id}", "tail": f"{PROGRAM} tail {turn_id}"}
    if view.is_resumable:
        commands["continue"] = f"{PROGRAM} continue --turn {turn_id} -"
        if view.error is not None and view.error.get("kind") in KINDS_UNSEEN_TO_THE_END:
            commands["recover"] = f"{PROGRAM} recover {turn_id}"
    return commands
