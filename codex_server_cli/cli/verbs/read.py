"""The verbs that read turns: `tail`, `wait`, `answer`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from codex_server_cli.actions.read import follow, read
from codex_server_cli.cli import output
from codex_server_cli.cli.parameters import Printed, Until
from codex_server_cli.cli.show_turn import leaving_running, report_end, show_answer, show_text
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
    full: bool,
    raw: bool,
    cwd: str | None,
) -> Exit:
    """Show the text of turns so far, or follow one; or show the events of all."""
    if is_all:
        from codex_server_cli.cli.verbs.monitor import show_all

        forbidden = {"TURN": bool(turns), "-n": lines is not None, "--events": events, "--no-deltas": no_deltas}
        return show_all(follows=follows, as_json=json or full, is_full=full, after=after, forbidden=forbidden)
    if not turns:
        raise UsageError("Missing argument 'TURN...'", hint="Or --all. Try: codex-server tail --help")
    settings = Settings.load()
    if not (events or json) and (after is not None or no_deltas):
        raise UsageError("--after and --no-deltas need --events")
    directories = _to_show(settings, turns, cwd, follows=follows)
    code = Exit.OK
    for directory in directories:
        if read.means_several(turns):
            output.show(_heading(read.status(directory)))
        try:
            with leaving_running(directory.turn_id):
                if events or json:
                    shown = follow.events(directory, last_lines=lines, follows=follows)
                    _show_events(shown, -1 if after is None else after, has_deltas=not no_deltas)
                else:
                    show_text(directory, lines, follows=follows, is_raw=raw)
        except HomeError as error:  # another user's turn; the others are still shown
            output.show_error(error, as_json=False)
            code = error.exit_code
    if follows and code is Exit.OK:
        code = report_end(read.status(directories[0]))
    return code


def _to_show(settings: Settings, turns: list[str], cwd: str | None, *, follows: bool) -> list[Any]:
    hint = "Follow each in a shell of its own, or all with --all."
    if follows and len(turns) > 1:
        raise UsageError("--follow takes one turn", hint=hint)
    directories = read.find_all(settings, turns, cwd)
    if follows and len(directories) > 1:
        raise UsageError(f"--follow takes one turn, and {turns[0]!r} matches {len(directories)}", hint=hint)
    return directories


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
    json: bool,
    full: bool,
    raw: bool,
    cwd: str | None,
) -> Exit:
    """Sleep until turns have ended; print them and return their exit code."""
    if is_any and is_all:
        raise UsageError("--any and --all exclude each other")
    if json and printed not in (None, Printed.JSON):
        raise UsageError(f"--json and --print {printed} exclude each other")
    if json or (full and printed is None and output.is_terminal()):
        printed = Printed.JSON
    timeout_s = parse_duration_s(timeout, "--timeout") if timeout is not None else None
    settings = Settings.load()
    directories = read.find_all(settings, turns, cwd)
    ids = [directory.turn_id for directory in directories]
    given = [("--any", is_any), (f"--until {until}", until is Until.ATTENTION)]
    given += [(f"--timeout {timeout}", timeout is not None), (f"--print {printed}", printed is not None)]
    options = "".join(f" {option}" for option, is_given in [*given, ("--full", full)] if is_given)
    if printed is None and (output.is_terminal() or not read.means_several(turns)):
        printed = Printed.OUT
    shown = _PrintOptions(printed, options, full, raw)
    with leaving_running(*ids, options=options):
        if read.means_several(turns):
            return _wait_for_several(directories, until, timeout_s, shown, is_any=is_any)
        ((view, requests),) = _wait_for_one(directories[0], until, timeout_s)
    return _report_asked([(view, requests)], ids, shown) if requests else _report_one(view, shown)


class _PrintOptions(NamedTuple):
    """How a turn is printed: `--print`, the options of the command that continues to wait, `--full` and `--raw`."""

    printed: Printed | None
    options: str
    is_full: bool
    is_raw: bool

    @property
    def has_json(self) -> bool:
        """Whether the state of a turn is printed as JSON: for a program, or on request."""
        is_text = self.printed in (Printed.NONE, Printed.ANSWER) or (
            self.printed is Printed.OUT and output.is_terminal()
        )
        return not is_text


def _wait_for_one(directory: Any, until: Until, timeout_s: float | None) -> Sequence[tuple[TurnView, list[Entry]]]:
    """Wait, and return the turn, with its pending requests if `until` includes them."""
    if until is not Until.ATTENTION:
        return [(read.wait(directory, timeout_s), [])]
    from codex_server_cli.actions.read import wait  # 2 ms that the kernel's wait does not need

    return wait.wait([directory], is_any=False, timeout_s=timeout_s)


def _wait_for_several(
    directories: Sequence[Any], until: Until, timeout_s: float | None, shown: _PrintOptions, *, is_any: bool
) -> Exit:
    """Wait for several turns, and print each as it ends."""
    from codex_server_cli.actions.read import wait

    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    latest: dict[str, TurnView] = {}
    remaining = [*directories]
    while remaining:
        rest_s = None if deadline is None else max(0.0, deadline - time.monotonic())
        seen = wait.wait(remaining, is_any=True, until_attention=until is Until.ATTENTION, timeout_s=rest_s)
        for view, _ in seen:
            latest[view.turn_id] = view
            if view.state is not State.RUNNING:
                _show_outcome(view, shown)
        remaining = [each for each in remaining if latest[each.turn_id].state is State.RUNNING]
        if asked := [(view, requests) for view, requests in seen if requests]:
            _report_those_that_ended(latest.values(), shown)
            return _report_asked(asked, [each.turn_id for each in directories], shown)
        if is_any or (deadline is not None and time.monotonic() >= deadline):
            break
    return _report_ends([latest[each.turn_id] for each in directories], shown, is_any=is_any)


def _report_those_that_ended(views: Iterable[TurnView], shown: _PrintOptions) -> list[Exit]:
    """Report on stderr why ended turns did not complete; returns their exit codes."""
    is_told = shown.printed in (None, Printed.JSON)
    return [report_end(view, is_told=is_told) for view in views if view.state is not State.RUNNING]


def _show_outcome(view: TurnView, shown: _PrintOptions) -> None:
    if shown.printed in (None, Printed.JSON):
        output.show_json(turn_documents.outcome(view, is_full=shown.is_full))
    elif shown.printed is not Printed.NONE:
        output.show(_heading(view))
        if shown.printed is Printed.ANSWER:
            show_answer(view, is_raw=shown.is_raw)
        elif view.state not in (State.UNREADABLE, State.MISSING):
            show_text(read.directory_of(view), is_raw=shown.is_raw, is_end_told=True)


def _heading(view: TurnView) -> str:
    """The heading of one text among several."""
    return f"==> {view.meta.get('name') or view.turn_id} <==\n"


def _report_asked(asked: Sequence[tuple[TurnView, list[Entry]]], ids: list[str], shown: _PrintOptions) -> Exit:
    """Show the pending requests: in the JSON, and in full on stderr if no JSON is printed, or on a terminal."""
    if shown.has_json:
        for view, requests in asked:
            output.show_json(turn_documents.status_with_requests(view, requests, is_full=shown.is_full))
    if not shown.has_json or output.is_terminal():
        for view, requests in asked:
            for request in requests:
                _note_asked(view, request)
    output.note(f"Then: {wait_command(' '.join(ids), shown.options)}")
    return Exit.ATTENTION


def _note_asked(view: TurnView, request: Entry) -> None:
    """Show a request on stderr: on a terminal laid out for it, because a wrapped command would be a different one."""
    now_ms, display = time.time_ns() // 1_000_000, output.error_display()
    if display is None:
        output.note(pending_text(view, request, now_ms, None))
    else:
        from codex_server_cli.actions.read.for_people import shortened

        view = view._replace(turn_id=shortened(Settings.load(), [view.turn_id])[view.turn_id])
        output.note_styled(pending_text(view, request, now_ms, display.width, display.ink) + "\n")


def _report_one(view: TurnView, shown: _PrintOptions) -> Exit:
    printed = shown.printed
    if view.state is State.RUNNING:
        if shown.has_json:
            output.show_json(turn_documents.status(view, is_full=shown.is_full))
        output.note(running_note(view, shown.options))
        return Exit.TIMEOUT
    if printed is Printed.JSON:
        output.show_json(turn_documents.status_with_answer(view, is_full=shown.is_full))
    elif view.state is not State.UNREADABLE and printed is Printed.OUT:
        show_text(read.directory_of(view), is_raw=shown.is_raw, is_end_told=True)
    elif view.state is not State.UNREADABLE and printed is Printed.ANSWER:
        show_answer(view, is_raw=shown.is_raw)
    return report_end(view, is_told=printed is Printed.JSON)


def _report_ends(views: list[TurnView], shown: _PrintOptions, *, is_any: bool) -> Exit:
    """Report on stderr why turns did not complete, and which still run.

    Returns:
        With `is_any` the code of the first ended turn in the order given, an unreadable one last. Otherwise 0 if all
        are complete, else the code of the first in that order that is not.
    """
    ended = [view for view in views if view.state is not State.RUNNING]
    if is_any and len(ended) < len(views):
        ended = [view for view in ended if view.state is not State.UNREADABLE]  # their end is never seen
    ended.sort(key=lambda view: is_any and view.state is State.UNREADABLE)
    codes = _report_those_that_ended(ended, shown)
    if not ended or not (is_any or len(ended) == len(views)):
        output.note(still_running_note(views, shown.options))
        return Exit.TIMEOUT
    return codes[0] if is_any else next((code for code in codes if code is not Exit.OK), Exit.OK)


def answer(*, turns: list[str], max_chars: int | None, raw: bool, cwd: str | None) -> Exit:
    """Print the final answers of ended turns, and nothing else."""
    settings = Settings.load()
    directories = read.find_all(settings, turns, cwd)
    views = [read.answer(directory) for directory in directories]  # all or none: one still runs, say
    for view in views:
        if read.means_several(turns):
            output.show(_heading(view))
        show_answer(view, max_chars, is_raw=raw)
        report_end(view)
    return next((code for code in (EXIT_OF_STATE[view.state] for view in views) if code is not Exit.OK), Exit.OK)
