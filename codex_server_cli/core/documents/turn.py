"""The JSON documents on stdout: a versioned contract (README, "JSON"). Owns their keys; `next_step` decides `next`.

Each has a full form with every key (`is_full`), and a lean one for agents (`lean`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from codex_server_cli.core.documents import lean
from codex_server_cli.core.model.server.record import url_of
from codex_server_cli.core.model.turn import State, parse_time_ms
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.protocol.rpc import objects_in, text_in
from codex_server_cli.core.result.commands import PROGRAM
from codex_server_cli.core.result.next_step import next_command, next_commands

if TYPE_CHECKING:
    from codex_server_cli.core.model.monitor_event import MonitorEvent

VERSION = 2
"""Of every document."""

PLACEHOLDER = "…"
"""The placeholder for the answer in a command that is shown."""


def dump(document: Any, *, is_indented: bool) -> str:
    """Serialise a document: indented for people, one compact line for programs; in ASCII if UTF-8 is not possible."""
    form: dict[str, Any] = {"indent": 2} if is_indented else {"separators": (",", ":")}
    text = json.dumps(document, ensure_ascii=False, **form)
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate: only the escaped form can be written
        text = json.dumps(document, **form)
    return text


def paths(view: TurnView) -> dict[str, str]:
    """The paths of a turn's files."""
    return {
        "turn_dir": view.path,
        "out_path": f"{view.path}/out.txt",
        "events_path": f"{view.path}/events.jsonl",
        "done_marker": f"{view.path}/done",
        "error_marker": f"{view.path}/error",
        "meta_path": f"{view.path}/meta.json",
    }


def started(view: TurnView, *, is_full: bool = False, is_existing: bool = False) -> dict[str, Any]:
    """The output of `new` and `continue`; `is_existing`: an earlier call has started the turn (`--once`)."""
    full = {
        "version": VERSION,
        "turn_id": view.turn_id,
        "thread_id": view.thread_id,
        "state": str(view.state),
        "existing": is_existing,
        **paths(view),
        "next": next_commands(view),
    }
    if is_full:
        return full
    existing = ("existing",) if is_existing else ()
    return {key: full[key] for key in ("version", "turn_id", "state", *existing, "turn_dir", "out_path")} | {
        "next": next_command(view)
    }


def full_status(view: TurnView) -> dict[str, Any]:
    """One turn, with every key; a missing turn has only its id and state."""
    if view.state is State.MISSING:
        return {"version": VERSION, "turn_id": view.turn_id, "state": "missing"}
    meta, live = view.meta, view.live
    return {
        "version": VERSION,
        "turn_id": view.turn_id,
        "name": meta.get("name"),
        "state": str(view.state),
        "phase": str(view.phase) if view.phase else None,
        "thread_id": view.thread_id,
        "codex_turn_id": meta.get("codex_turn_id"),
        "cwd": meta.get("cwd"),
        "worktree": meta.get("worktree"),
        "model": meta.get("model"),
        "effort": meta.get("effort"),
        "sandbox": meta.get("sandbox"),
        "approval": meta.get("approval"),
        "server": url_of(meta.get("server")),
        "started_at": meta.get("started_at"),
        "finished_at": meta.get("finished_at"),
        "last_activity": live.get("last_activity") or meta.get("finished_at"),
        "elapsed_s": view.elapsed_s,
        "usage": view.result.get("usage") or live.get("usage"),
        "limits": view.result.get("limits"),
        "refused": view.result.get("refused") or live.get("refused") or [],
        "changes": view.changes,
        "changes_of": view.changes_of,
        "pending": live.get("pending") or [],
        "put_back": meta.get("put_back"),
        "resets_at": live.get("resets_at") or (view.error or {}).get("resets_at"),
        "error": view.error,
        "notify": view.notify,
        **paths(view),
        "next": next_commands(view),
    }


def status_keys() -> tuple[str, ...]:
    """The keys of the full status of a turn."""
    return tuple(full_status(TurnView("", "", State.RUNNING)))


def status(view: TurnView, *, is_full: bool = False) -> dict[str, Any]:
    """One turn."""
    return full_status(view) if is_full else _lean_status(view, next_command(view))


def _lean_status(view: TurnView, next_: dict[str, str]) -> dict[str, Any]:
    full = full_status(view)
    return full if view.state is State.MISSING else lean.status_of(full, view, next_)


def status_with_answer(view: TurnView, *, is_full: bool = False) -> dict[str, Any]:
    """The status and the answer."""
    if is_full:
        return {**full_status(view), "answer": view.answer}
    return _lean_with_answer(view)


def ended(view: TurnView, *, is_full: bool = False, is_existing: bool = False) -> dict[str, Any]:
    """What `new --wait` prints at the end: the status and the answer; `is_existing` as in `started`."""
    document = status_with_answer(view, is_full=is_full)
    return {**document, "existing": is_existing} if is_full or is_existing else document


def _lean_with_answer(view: TurnView, *, has_asked_codex: bool = False) -> dict[str, Any]:
    is_told = not lean.is_answer_told_by_size(view)
    next_ = next_command(view, is_answer_told=is_told, has_asked_codex=has_asked_codex)
    return {**_lean_status(view, next_), **lean.answer_of(view, lean.MOST_ANSWER_CHARS)}


def status_with_requests(view: TurnView, requests: list[dict[str, Any]], *, is_full: bool = False) -> dict[str, Any]:
    """The status, with the pending requests in full: entries of `pending.json`."""
    pending = [approval_request(view.turn_id, each, is_full=is_full) for each in requests]
    if is_full:
        return {**status_with_answer(view, is_full=True), "pending": pending}
    # Each request has the commands that decide it: there is no other next step until then.
    return _lean_status(view, {}) | {"pending": pending}


def outcome(view: TurnView, *, is_full: bool = False) -> dict[str, Any]:
    """One of several turns: a line of the output of `wait`."""
    return status_with_answer(view, is_full=True) if is_full else lean.outcome_of(view)


def recovered(view: TurnView, message: str, *, is_recovered: bool, is_full: bool = False) -> dict[str, Any]:
    """The output of `recover`: the turn afterwards, its answer, whether anything was restored, and the message."""
    document = status_with_answer(view, is_full=True) if is_full else _lean_with_answer(view, has_asked_codex=True)
    return {**document, "recovered": is_recovered, "message": message}


def applied(
    turn_id: str, changes: Sequence[tuple[str, str]], facts: Mapping[str, Any], *, is_full: bool = False
) -> dict[str, Any]:
    """The output of `apply`.

    Args:
        changes: path and kind of each file that was written.
        facts: `conflicts`, `left`, `branch`, `message`, and `next`, a git command.
    """
    document = {
        "version": VERSION,
        "turn_id": turn_id,
        "applied": [{"path": path, "kind": kind} for path, kind in changes],
        "conflicts": list(facts["conflicts"]),
        "left": list(facts["left"]),
        "branch": facts["branch"],
        "message": facts["message"],
        "next": {"status": facts["next"]} if facts["next"] else {},
    }
    kept = document if is_full else lean.without_empty(document)
    return {key: document[key] for key in document if key in kept or key == "applied"}


def several(views: list[TurnView], *, is_full: bool = False) -> dict[str, Any]:
    """Several turns in one document."""
    return {"version": VERSION, "turns": [row(view, is_full=is_full) for view in views]}


def row(view: TurnView, *, is_full: bool = False) -> dict[str, Any]:
    """One turn in a list."""
    full = full_status(view)
    return full if is_full else lean.row_of(full)


def listed(view: TurnView, prompt: str | None, *, is_full: bool = False) -> dict[str, Any]:
    """One turn of `list-turns`, with the beginning of its prompt."""
    document = {**row(view, is_full=is_full), "prompt": prompt}
    return document if is_full else lean.without_empty(document)


def event(seen: MonitorEvent, *, is_full: bool = False) -> dict[str, Any]:
    """One line of the monitor's stream; `next` is the command that handles it."""
    command = None
    if seen.event == "attention" or seen.is_end:
        verb = "answer" if seen.state == State.COMPLETE else "status" if seen.is_end else "pending"
        command = f"{PROGRAM} {verb} {seen.turn_id}"
    document = {"version": VERSION, **seen._asdict(), "next": command}
    return document if is_full else lean.without_empty(document)


def approval_request(turn_id: str, entry: dict[str, Any], *, is_full: bool = False) -> dict[str, Any]:
    """One entry of `pending.json`, and the commands that decide it."""
    return {**(entry if is_full else lean.request_of(entry)), "next": answer_commands(turn_id, entry)}


def pending(view: TurnView, entry: dict[str, Any], now_ms: int, *, is_full: bool = False) -> dict[str, Any]:
    """One request as `pending --json` lists it.

    Args:
        entry: one of `pending.json`.
        now_ms: Unix time, from which the remaining time is counted.
    """
    document = approval_request(view.turn_id, entry, is_full=is_full)
    listed = {"turn_id": view.turn_id, "name": view.meta.get("name"), **document}
    listed["expires_in_s"] = time_left_s(entry, now_ms)
    return {"version": VERSION, **listed} if is_full else lean.without_empty(listed)


def pending_keys() -> tuple[str, ...]:
    """The keys of a full request as `pending --json` lists it."""
    from codex_server_cli.core.record.approval_request import ApprovalRequest, RequestKind

    entry = ApprovalRequest("", "", RequestKind.COMMAND, {}, None, 0, 0).to_json()
    return tuple(pending(TurnView("", "", State.RUNNING), entry, 0, is_full=True))


def time_left_s(entry: dict[str, Any], now_ms: int) -> float | None:
    """The time until a request expires, in seconds; None if unknown."""
    expires_ms = parse_time_ms(entry.get("expires_at"))
    return None if expires_ms is None else max(0.0, round((expires_ms - now_ms) / 1000, 1))


def answer_commands(turn_id: str, entry: dict[str, Any]) -> dict[str, str]:
    """The commands that decide a request; in a reply, `PLACEHOLDER` stands for the answer."""
    import shlex  # 1 ms that `new`, `status` and followers do not need

    which = f"{turn_id} {entry.get('id')}"
    decline = {"decline": f"{PROGRAM} decline {which}"}
    if entry.get("answer_with") == "reply":
        questions = [text_in(question.get("id")) for question in objects_in(entry.get("questions"))]
        answers = "".join(f" --answer {shlex.quote(f'{id_}={PLACEHOLDER}')}" for id_ in questions)
        answers = answers or f" --answer {PLACEHOLDER}"
        return {"reply": f"{PROGRAM} reply {which}{answers}", **decline}
    approve = f"{PROGRAM} approve {which}"
    lasting = {"approve_for_session": f"{approve} --session"} if entry.get("can_last") else {}
    return {"approve": approve, **lasting, **decline}


def decided(view: TurnView, op: str, request: dict[str, Any], *, is_full: bool = False) -> dict[str, Any]:
    """The output of `approve`, `decline` and `reply`: the request that was decided, and what to run next."""
    shown = request if is_full else {"id": request.get("id")}
    next_ = next_commands(view) if is_full else next_command(view)
    return {"version": VERSION, "turn_id": view.turn_id, "decided": op, "request": shown, "next": next_}


def steered(view: TurnView, text: str, *, is_full: bool = False) -> dict[str, Any]:
    """The output of `steer`: in the full form the text that Codex accepted, and what to run next."""
    if is_full:
        return {"version": VERSION, "turn_id": view.turn_id, "text": text, "next": next_commands(view)}
    return {"version": VERSION, "turn_id": view.turn_id, "next": next_command(view)}
