"""The verbs that read turns: `tail`, `wait`, `answer`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from codex_server_cli.actions.read import follow, read
from codex_server_cli.cli import output
from codex_server_cli.cli.parameters import Printed, Until
from codex_server_cli.cli.show_turn import leaving_running, report_end, show_growing, show_pieces
from codex_server_cli.core.documents import turn as turn_documents
from codex_server_cli.core.duration import parse_duration_s
from codex_server_cli.core.model.turn import EXIT_OF_STATE, State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.protocol.event_log import is_delta, seq_of
from codex_server_cli.core.result.commands import wait_command
from codex_server_cli.errors import Exit, HomeError, UsageError
from codex_server_cli.render.notes import running_note, still_running_note
from codex_server_cli.render.pending import pending_text
from codex_server_cli.settings.places import Settings

Entry = dict[str, Any]


def tail(
    *,
    turns: list[str],
    is_all: bool,
    follows: bool,
    lines: int | None,
    events: bool,
    json: bool,
    after: int | None,
    no_deltas: bool,
    cwd: str | None,
) -> Exit:
    """Show what turns have said so far, or one as it goes on; or what happens to all."""
    if is_all:
        from codex_server_cli.cli.verbs.monitor import show_all

        forbidden = {"TURN": bool(turns), "-n": lines is not None, "--events": events, "--no-deltas": no_deltas}
        return show_all(follows=follows, as_json=json, after=after, forbidden=forbidden)
    if not turns:
        raise UsageError("Missing argument 'TURN...'", hint="Or --all. Try: codex-server tail --help")
    settings = Settings.load()
    if follows and len(turns) > 1:
        raise UsageError("--follow takes one turn", hint="Follow each in a shell of its own, or all with --all.")
    if not (events or json) and (after is not None or no_deltas):
        raise UsageError("--after and --no-deltas need --events")
    directories = [read.find(settings, turn, cwd) for turn in turns]
    code = Exit.OK
    for directory in directories:
        if len(directories) > 1:
            output.show(f"==> {directory.turn_id} <==\n")
        try:
            with leaving_running(directory.turn_id):
                if events or json:
                    shown = follow.events(directory, last_lines=lines, follows=follows)
                    _show_events(shown, -1 if after is None else after, has_deltas=not no_deltas)
                else:
                    _show_text(directory, lines, follows=follows)
        except HomeError as error:  # another user's turn; the others are still shown
            output.show_error(error, as_json=False)
            code = error.exit_code
    if follows and code is Exit.OK:
        code = report_end(read.status(directories[0]))
    return code


def _show_text(directory: Any, lines: int | None, *, follows: bool) -> None:
    pieces = follow.text(directory, last_lines=lines, follows=follows)
    if follows:
        show_growing(pieces, partial(read.status, directory))
    else:
        show_pieces(pieces)


def _show_events(lines: Iterable[bytes], after: int, *, has_deltas: bool) -> None:
    for line in lines:
        if (seq_of(line) or 0) > after and (has_deltas or not is_delta(line)):
            output.show_line(line)


def wait(
    *,
    turns: list[str],
    is_any: bool,
    is_all: bool,
    until: Until,
    timeout: str | None,
    printed: Printed | None,
    cwd: str | None,
) -> Exit:
    """Sleep until turns have ended; print them and end with their code."""
    if is_any and is_all:
        raise UsageError("--any and --all exclude each other")
    if len(turns) > 1 and printed in (Printed.OUT, Printed.ANSWER):
        raise UsageError(
            f"--print {printed} takes one turn: the texts of several cannot be told apart",
            hint="Without it, several print one JSON array, each element with its answer.",
        )
    timeout_s = parse_duration_s(timeout, "--timeout") if timeout is not None else None
    settings = Settings.load()
    directories = list({turn.turn_id: turn for turn in (read.find(settings, turn, cwd) for turn in turns)}.values())
    ids = [directory.turn_id for directory in directories]
    given = [("--any", is_any), (f"--until {until}", until is Until.ATTENTION)]
    given += [(f"--timeout {timeout}", timeout is not None), (f"--print {printed}", printed is not None)]
    options = "".join(f" {option}" for option, is_given in given if is_given)
    with leaving_running(*ids):
        seen = _wait_for_ends(directories, until, is_any=is_any, timeout_s=timeout_s)
    views = [view for view, _ in seen]
    if any(requests for _, requests in seen):
        return _report_asked(seen, is_one=len(turns) == 1, printed=printed, options=options)
    if len(turns) == 1:
        return _report_one(views[0], printed or Printed.OUT, options)
    if printed is not Printed.NONE:
        output.show_json([turn_documents.status_with_answer(view) for view in views])
    return _report_ends(views, is_any=is_any, options=options)


def _wait_for_ends(
    directories: Sequence[Any], until: Until, *, is_any: bool, timeout_s: float | None
) -> Sequence[tuple[TurnView, list[Entry]]]:
    """Wait, and return the turns, each with its pending requests where `until` asks for them."""
    until_attention = until is Until.ATTENTION
    if not until_attention and (len(directories) == 1 or not is_any):
        return [(view, []) for view in read.wait_all([*directories], timeout_s)]
    from codex_server_cli.actions.read import wait  # 2 ms that the kernel's wait need not spend

    return wait.wait([*directories], is_any=is_any, until_attention=until_attention, timeout_s=timeout_s)


def _report_asked(
    seen: Sequence[tuple[TurnView, list[Entry]]], *, is_one: bool, printed: Printed | None, options: str
) -> Exit:
    """Show the pending requests: in full on stderr, and in the JSON where that is printed."""
    if printed not in (Printed.NONE, Printed.ANSWER):
        found = [turn_documents.status_with_requests(view, requests) for view, requests in seen]
        output.show_json(found[0] if is_one else found)
    now_ms, width = time.time_ns() // 1_000_000, output.width() if output.is_terminal() else None
    for view, requests in seen:
        for request in requests:
            output.note(pending_text(view, request, now_ms, width))
    output.note(f"Then: {wait_command(' '.join(view.turn_id for view, _ in seen), options)}")
    return Exit.ATTENTION


def _report_one(view: TurnView, printed: Printed, options: str) -> Exit:
    if view.state is State.RUNNING:
        if printed in (Printed.OUT, Printed.JSON):
            output.show_json(turn_documents.status(view))
        output.note(running_note(view, options))
        return Exit.TIMEOUT
    if view.state is State.UNREADABLE:
        if printed is Printed.JSON:
            output.show_json(turn_documents.status_with_answer(view))
    elif printed is Printed.OUT:
        show_pieces(follow.text(read.find(Settings.load(), view.turn_id)))
    elif printed is Printed.ANSWER:
        _show_answer(view)
    elif printed is Printed.JSON:
        output.show_json(turn_documents.status_with_answer(view))
    return report_end(view)


def _report_ends(views: list[TurnView], *, is_any: bool, options: str) -> Exit:
    """Say on stderr why turns did not complete, and which still run.

    Returns:
        With `is_any` the code of the first ended turn in the order given, an unreadable one last. Otherwise 0 where all
        are complete, else the code of the first in that order that is not.
    """
    ended = [view for view in views if view.state is not State.RUNNING]
    if is_any and len(ended) < len(views):
        ended = [view for view in ended if view.state is not State.UNREADABLE]  # their end is never seen
    ended.sort(key=lambda view: is_any and view.state is State.UNREADABLE)
    codes = [report_end(view) for view in ended]
    if not ended or not (is_any or len(ended) == len(views)):
        output.note(still_running_note(views, options))
        return Exit.TIMEOUT
    return codes[0] if is_any else next((code for code in codes if code is not Exit.OK), Exit.OK)


def answer(*, turn: str, cwd: str | None) -> Exit:
    """Print the final answer of an ended turn, and nothing else."""
    view = read.answer(read.find(Settings.load(), turn, cwd))
    _show_answer(view)
    report_end(view)
    return EXIT_OF_STATE[view.state]


def _show_answer(view: TurnView) -> None:
    text = view.answer
    if text:
        output.show(text if text.endswith("\n") else text + "\n")
