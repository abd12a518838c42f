"""The verbs that read one turn: `tail`, `wait`, `answer`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from codex_server_cli.actions import follow, read
from codex_server_cli.cli import output
from codex_server_cli.cli.following import leaving_it_running, report_end, show_pieces, wait_for_end
from codex_server_cli.cli.parameters import LastCwd, Turn, Turns
from codex_server_cli.core.duration import parse_duration_s
from codex_server_cli.core.events import is_delta, seq_of
from codex_server_cli.core.turn import EXIT_OF_STATE, State
from codex_server_cli.core.view import TurnView
from codex_server_cli.errors import Exit, UsageError
from codex_server_cli.render import documents
from codex_server_cli.render.views import running_note
from codex_server_cli.settings.places import Settings


class Printed(StrEnum):
    """What `wait` prints at the end."""

    OUT = "out"
    ANSWER = "answer"
    JSON = "json"
    NONE = "none"


def tail(
    turns: Turns,
    follows: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on as it grows; end with the turn's code.")
    ] = False,
    lines: Annotated[int | None, typer.Option("-n", min=0, metavar="N", help="Begin with the last N lines.")] = None,
    events: Annotated[bool, typer.Option("--events", help="The event stream instead of the text.")] = False,
    json: Annotated[bool, typer.Option("--json", help="The same as --events: one JSON object a line.")] = False,
    after: Annotated[int | None, typer.Option(metavar="CURSOR", help="Only events whose seq is above this.")] = None,
    no_deltas: Annotated[bool, typer.Option("--no-deltas", help="Leave out the pieces of streamed text.")] = False,
    cwd: LastCwd = None,
) -> None:
    """Show what turns have said so far, or what one says as it says it."""
    settings = Settings.load()
    if follows and len(turns) > 1:
        raise UsageError("--follow takes one turn", hint="Follow each in a shell of its own.")
    if not (events or json) and (after is not None or no_deltas):
        raise UsageError("--after and --no-deltas need --events")
    directories = [read.find(settings, turn, cwd) for turn in turns]
    for directory in directories:
        if len(directories) > 1:
            output.show(f"==> {directory.turn_id} <==\n")
        with leaving_it_running(directory.turn_id):
            if not (events or json):
                show_pieces(follow.text(directory, last_lines=lines, follows=follows))
                continue
            for line in follow.events(directory, last_lines=lines, follows=follows):
                is_new = after is None or (seq_of(line) or 0) > after
                if is_new and not (no_deltas and is_delta(line)):
                    output.show_line(line)
    if follows:
        raise typer.Exit(report_end(read.status(directories[0])))


def wait(
    turn: Turn,
    timeout: Annotated[str | None, typer.Option(metavar="S", help="Give up after S seconds, or like 5m: 124.")] = None,
    printed: Annotated[Printed, typer.Option("--print", help="What to print at the end.")] = Printed.OUT,
    cwd: LastCwd = None,
) -> None:
    """Sleep until a turn has ended; print it and end with its code."""
    timeout_s = parse_duration_s(timeout) if timeout is not None else None
    view = wait_for_end(Settings.load(), turn, timeout_s=timeout_s, cwd=cwd)
    if view.state is State.RUNNING:
        if printed in (Printed.OUT, Printed.JSON):
            output.show_json(documents.status(view))
        print_option = "" if printed is Printed.OUT else f" --print {printed}"
        output.note(running_note(view, f" --timeout {timeout}{print_option}"))
        raise typer.Exit(Exit.TIMEOUT)
    if printed is Printed.OUT:
        show_pieces(follow.text(read.find(Settings.load(), view.turn_id)))
    elif printed is Printed.ANSWER:
        _show_answer(view)
    elif printed is Printed.JSON:
        output.show_json(documents.status_with_answer(view))
    raise typer.Exit(report_end(view))


def answer(turn: Turn, cwd: LastCwd = None) -> None:
    """Print the final answer of an ended turn, and nothing else."""
    view = read.answer(read.find(Settings.load(), turn, cwd))
    _show_answer(view)
    report_end(view)
    raise typer.Exit(EXIT_OF_STATE[view.state])


def _show_answer(view: TurnView) -> None:
    text = view.answer
    if text:
        output.show(text if text.endswith("\n") else text + "\n")
