"""One turn in words, for a terminal: the line after its start, the card of `status`, and the results of commands.

Each begins with the glyph of the turn's state, or of the result, and its short id; its commands work verbatim. Text of
a model has a bar before it, so that it cannot be mistaken for ours. Must never read a clock or a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codex_server_cli.core.documents.lean import error_of, notify_failure
from codex_server_cli.core.model.turn import Phase, State, parse_time_ms
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.protocol.rpc import at, objects_in, text_in
from codex_server_cli.core.result.commands import of_turn
from codex_server_cli.core.result.next_step import next_command
from codex_server_cli.core.session.queued_messages import NOT_PUT_BACK, put_back_words
from codex_server_cli.render.escape import neutralise, one_line
from codex_server_cli.render.status_line import clock, short_count
from codex_server_cli.render.style.cells import BAR, barred, cut
from codex_server_cli.render.style.ink import Style
from codex_server_cli.render.style.when import ago
from codex_server_cli.render.style.wrap import Display, Piece, arrowed, joined, wrapped
from codex_server_cli.render.tables import duration, short_path
from codex_server_cli.render.turns.states import look, state_words
from codex_server_cli.render.turns.titles import title

_INDENT = "  "
_MOST_CHARS = 400
_LONGEST_PATH = 4096


def started(view: TurnView, short_id: str, called: str, display: Display, *, is_existing: bool = False) -> str:
    """The line that a turn was started, and what to do now; ends with a newline.

    Args:
        called: the shortest selector for it: part of its id, its name, or `last`.
        is_existing: an earlier call has started it (`--once`).
    """
    glyph, style = look(view)
    pieces = [(f"{glyph} {short_id} {'was started already' if is_existing else 'started'}", style)]
    if is_existing or view.phase is Phase.QUEUED or view.state is not State.RUNNING:
        pieces.append((_state(view), style))
    pieces.append((_queue_reason(view, display), Style.PLAIN))
    if view.state is State.RUNNING:
        pieces += [(_follow(called), Style.BOLD), ("Ctrl-C is safe", Style.DIM)]
    else:  # after a failure users need the reason first
        pieces.append((_next(view, short_id) if view.error is None else of_turn("status", short_id), Style.BOLD))
    return _text(_line(pieces, display))


def going_on(short_id: str, display: Display) -> str:
    """The line before the text of a turn that is followed until its end; ends with a newline."""
    pieces = [(f"● {short_id} started", Style.CYAN), ("Ctrl-C is safe: the turn goes on", Style.DIM)]
    return _text(_line(pieces, display))


def done(short_id: str, what: str, display: Display, command: str = "", quoted: str = "") -> str:
    """What was done to a turn, and the command to run next; ends with a newline.

    Args:
        quoted: raw foreign text that it was about.
    """
    pieces = [(f"✓ {short_id} {what}", Style.GREEN), (command, Style.BOLD)]
    lines = _line(pieces, display)
    return _text(lines + (_behind_bar(one_line(quoted, _MOST_CHARS), display) if quoted else []))


def over_already(view: TurnView, short_id: str, display: Display) -> str:
    """The line that a turn had already ended, so that nothing was done; ends with a newline."""
    glyph, style = look(view)
    pieces = [(f"{glyph} {short_id} had ended: {_state(view)}", style)]
    return _text(_line(pieces, display))


def card(view: TurnView, short_id: str, prompt: str, asked: Sequence[str], display: Display) -> str:
    """The state of a turn, in a few lines; ends with a newline.

    Args:
        prompt: the beginning of its prompt, raw.
        asked: the pending requests, each as `pending_text` formats it: safe, with the commands that decide it.
    """
    lines = _line(_head(view, short_id, display), display)
    lines.append(_INDENT + display.ink(_title(view, prompt, display.width - len(_INDENT)), Style.BOLD))
    lines += joined(_facts(view, display), display.width, _INDENT, display.ink)
    lines += _changes(view, display)
    lines += _error(view, display)
    lines += _remarks(view, short_id, display)
    for request in asked:
        lines += ["", *request.rstrip("\n").split("\n")]
    command = "" if asked else _next(view, short_id)
    return _text(lines + arrowed(command, display))


def _text(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"


def _line(pieces: Sequence[Piece], display: Display) -> list[str]:
    return joined(pieces, display.width, ink=display.ink, hanging=_INDENT)


def _follow(called: str) -> str:
    return of_turn("tail", f"-f {called}")


def _head(view: TurnView, short_id: str, display: Display) -> list[Piece]:
    glyph, style = look(view)
    if view.state is State.RUNNING:
        since = [clock(view.elapsed_s)] if view.elapsed_s is not None else []
    else:
        since = [duration(view.elapsed_s), ago(parse_time_ms(view.meta.get("finished_at")), display.now_ms)]
    return [
        (f"{glyph} {short_id}", style),
        (_state(view), style),
        (_queue_reason(view, display), Style.PLAIN),
        *((text, Style.DIM) for text in since),
    ]


def _title(view: TurnView, prompt: str, width: int) -> str:
    return cut(title(view, prompt, width), width)


def _state(view: TurnView) -> str:
    return one_line(state_words(view), _MOST_CHARS)


def _queue_reason(view: TurnView, display: Display) -> str:
    """What a queued turn waits for."""
    if view.phase is not Phase.QUEUED:
        return ""
    resets_ms = parse_time_ms(view.live.get("resets_at"))
    if resets_ms is None and at(view.meta, "request.is_after_reset", bool):
        return "begins when the usage limit has reset"
    if resets_ms is None:
        return "begins when another turn has ended"
    return f"begins when the usage limit resets, in {clock(max(resets_ms - display.now_ms, 0) / 1000)}"


def _facts(view: TurnView, display: Display) -> list[Piece]:
    """Where a turn works (with a worktree: where it was started), its model, and its tokens."""
    meta = view.meta
    tokens = at(view.result, "usage.total_tokens", int) or at(view.live, "usage.total_tokens", int)
    worktree = (meta.get("worktree") or {}) if view.has_worktree else {}
    branch = text_in(worktree.get("branch"))
    refused = len(view.result.get("refused") or view.live.get("refused") or ())
    place = one_line(text_in(worktree.get("started_in")) or text_in(meta.get("cwd")), _LONGEST_PATH)
    facts = [
        short_path(place, display.user_home, _LONGEST_PATH),
        f"branch {one_line(branch, _MOST_CHARS)}" if branch else "",
        one_line(text_in(meta.get("model")), _MOST_CHARS),
        f"{short_count(tokens)} tokens" if tokens else "",
    ]
    return [*((fact, Style.DIM) for fact in facts), (f"{refused} refused" if refused else "", Style.YELLOW)]


def _changes(view: TurnView, display: Display) -> list[str]:
    """How many files a turn changed, or which one, and how much."""
    changes = objects_in(view.changes)
    if not changes:
        return []
    counts = [sum(entry.get(count) or 0 for entry in changes) for count in ("added", "removed")]
    what = f"{len(changes)} files" if len(changes) > 1 else one_line(text_in(changes[0].get("path")), _LONGEST_PATH)
    signs = [("+", Style.GREEN), ("−", Style.RED)]
    told = [display.ink(f"{sign}{count}", style) for (sign, style), count in zip(signs, counts, strict=True) if count]
    return [f"{_INDENT}± {' '.join([what, *told])}"]


def _error(view: TurnView, display: Display) -> list[str]:
    """Why a turn did not complete, Codex's stderr if that is the reason, and what to do; nothing after a cancel, where
    the state suffices.
    """
    error: dict[str, Any] | None = error_of(view.error, {})
    if error is None or view.state is State.CANCELLED:
        return []
    message = wrapped(neutralise(text_in(error.get("message"))), display.width, _INDENT)
    words = [line for line in text_in(error.get("stderr_tail")).split("\n") if line.strip()]
    hint = neutralise(text_in(error.get("hint")))
    return [
        *(display.ink(line, Style.RED) for line in message),
        *(line for each in words for line in _behind_bar(neutralise(each), display)),
        *(wrapped(hint, display.width, _INDENT) if hint else []),
        *_resets(view, display),
    ]


def _remarks(view: TurnView, short_id: str, display: Display) -> list[str]:
    """Events beside the turn: its notify command failed, or messages of its thread were put back."""
    remarks = []
    failure = notify_failure(view.notify)
    if failure is not None:
        how = [f"{name.replace('_', ' ')} {value}" for name, value in failure.items() if value and name != "problem"]
        remarks.append(f"The notify command failed: {failure['problem'] or ', '.join(how)}")
    count = at(view.meta, "put_back", int)
    if count is not None:
        again = f"{NOT_PUT_BACK}: `{of_turn('recover', short_id)}` tries again"
        remarks.append(put_back_words(count) if count else again)
    lines = [line for each in remarks for line in wrapped(neutralise(each), display.width, _INDENT)]
    return [display.ink(line, Style.YELLOW) for line in lines]


def _resets(view: TurnView, display: Display) -> list[str]:
    resets_ms = parse_time_ms((view.error or {}).get("resets_at"))
    if resets_ms is None or resets_ms <= display.now_ms:
        return []
    return [f"{_INDENT}The limit resets in {clock((resets_ms - display.now_ms) / 1000)}."]


def _behind_bar(text: str, display: Display) -> list[str]:
    return barred(text, display.width, bar=_INDENT + BAR)


def _next(view: TurnView, short_id: str) -> str:
    """The command to run next; empty if there is none, or the hint already has it."""
    if view.state is State.RUNNING:
        return _follow(short_id)
    command = next(iter(next_command(view._replace(turn_id=short_id)).values()), "")
    return "" if command in text_in((view.error or {}).get("hint")) else neutralise(command)
