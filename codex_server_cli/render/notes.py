"""Single turns, threads and checks for people, in a few lines each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.result.commands import PROGRAM, wait_command
from codex_server_cli.core.result.next_step import next_command
from codex_server_cli.render.escape import one_line
from codex_server_cli.render.tables import duration

if TYPE_CHECKING:
    from codex_server_cli.core.model.monitor_event import MonitorEvent


def end_note(view: TurnView) -> str:
    """How a turn ended, or that it does not exist, and what to do next: one or two lines; empty for a complete one."""
    if view.state is State.MISSING:
        return f"{PROGRAM}: no such turn: {view.turn_id}\n{PROGRAM} list-turns shows the turns there are."
    if view.state is State.COMPLETE or view.error is None:
        return ""
    error = view.error
    if view.state is State.UNREADABLE:
        return f"{PROGRAM}: {error.get('message')}\n{error.get('hint')}"
    kind = "" if error.get("kind") == view.state else f" ({error.get('kind')})"
    line = f"{PROGRAM}: turn {view.turn_id} {view.state}{kind}: {error.get('message')}"
    resets_at = f"The limit resets at {error['resets_at']}." if error.get("resets_at") else ""
    hint = str(error.get("hint") or "")
    # A hint may end with a command, without a full stop.
    between = ". " if hint and resets_at and not hint.endswith(".") else " "
    told = f"{hint}{between}{resets_at}".strip()
    return f"{line}\n{told}" if told else line


def running_note(view: TurnView, options: str) -> str:
    """The state of a running turn, and the command to continue waiting with the same options."""
    since = f", {duration(view.elapsed_s)}" if view.elapsed_s is not None else ""
    asked = f"It waits for your answer: {PROGRAM} pending {view.turn_id}\n" if view.live.get("pending") else ""
    resets_at = view.live.get("resets_at")
    held = f" until the usage limit resets at {resets_at}" if resets_at else ""
    head = f"{PROGRAM}: turn {view.turn_id} is still running ({view.phase}{held}{since})"
    return f"{head}\n{asked}{wait_command(view.turn_id, options)}"


def event_line(seen: MonitorEvent) -> str:
    """One event of a turn, in one line for people: time (UTC), turn, what happened."""
    name = f" ({seen.name})" if seen.name else ""
    what = seen.phase if not seen.is_end else f"{seen.state}{f' ({seen.kind})' if seen.kind else ''}"
    if seen.request is not None:
        what = f"{what} {seen.request}: {seen.message}"
    return one_line(f"{seen.at[11:19]}Z  {seen.turn_id}{name}  {seen.event} {what}", 300)


def still_running_note(views: Sequence[TurnView], options: str) -> str:
    """How many of several turns still run, and the command to continue waiting with the same options.

    It includes turns that have ended, too, because its exit code is about all of them.
    """
    count = sum(view.state is State.RUNNING for view in views)
    ids = " ".join(view.turn_id for view in views)
    verb = "runs" if count == 1 else "run"
    asked = [
        f"It waits for your answer: {PROGRAM} pending {view.turn_id}" for view in views if view.live.get("pending")
    ]
    return "\n".join([f"{PROGRAM}: {count} of {len(views)} turns still {verb}: {wait_command(ids, options)}", *asked])


def turn_header(view: TurnView, prompt: str) -> list[tuple[str, str | None]]:
    """The facts of a turn: label and value of each, None for an unknown value."""
    meta, error = view.meta, view.error
    usage = view.result.get("usage") or view.live.get("usage") or {}
    tokens = usage.get("total_tokens")
    command = next(iter(next_command(view).values()), None)
    return [
        ("turn", view.turn_id),
        ("name", meta.get("name")),
        ("state", f"{view.state}: {view.phase}" if view.phase else str(view.state)),
        ("error", f"{error.get('kind')}: {error.get('message')}" if error is not None else None),
        ("directory", meta.get("cwd")),
        ("model", meta.get("model")),
        ("thread", view.thread_id),
        ("started", meta.get("started_at")),
        ("took", duration(view.elapsed_s)),
        ("tokens", None if tokens is None else str(tokens)),
        ("prompt", prompt),
        ("next", command),
    ]


def entries_text(
    header: Sequence[tuple[str, str | None]], entries: Sequence[tuple[str, str | None, str]], width: int
) -> str:
    """A turn or a thread: its facts, then its last entries.

    Args:
        header: label and value; a missing value is omitted.
        entries: type, time and raw text of each.
        width: of the terminal, in characters; the terminal wraps longer texts.
    """
    known = [(label, value) for label, value in header if value]
    pad = max((len(label) for label, _ in known), default=0)
    lines = [f"{label.ljust(pad)}  {one_line(value, width)}" for label, value in known]
    for type_, at, text in entries:
        lines += ["", f"── {type_}{f' · {at}' if at else ''}", text.rstrip("\n")]
    return "\n".join(lines) + "\n"


def check_lines(checks: Sequence[tuple[str, bool, str, str]]) -> str:
    """Checks, one per line: name, whether it is ok, detail, hint. One that is ok and has a hint is a warning."""
    pad = max(len(name) for name, *_ in checks)
    lines = []
    for name, is_ok, detail, hint in checks:
        mark = "✗" if not is_ok else "!" if hint else "✓"
        lines.append(f"{mark} {name.ljust(pad)}  {detail}")
        if hint:
            lines += [f"{' ' * (pad + 4)}{line}" for line in hint.split("\n")]
    return "\n".join(lines) + "\n"
