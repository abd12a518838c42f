"""The verbs that start turns: `new`, `continue` and `review`."""

from __future__ import annotations

from typing import Annotated

import typer

from codex_server_cli.actions.control.prepare import prepare
from codex_server_cli.actions.start import start
from codex_server_cli.actions.start.options import StartOptions
from codex_server_cli.actions.start.start import Started
from codex_server_cli.cli.prompts import read_prompt, warn_of_unread_stdin
from codex_server_cli.cli.start_options import Last, Thread, Turn, check_one_thread, starts_a_review, starts_a_turn
from codex_server_cli.core.inputs import is_blank
from codex_server_cli.errors import UsageError
from codex_server_cli.settings.places import Settings


@starts_a_turn
def new(context: typer.Context, options: StartOptions) -> Started:
    """Start a turn on a new thread and print its id."""
    return start.new(Settings.load(), options, context.obj or prepare())


@starts_a_turn
def continue_(
    context: typer.Context,
    options: StartOptions,
    last: Last = False,
    thread: Thread = None,
    turn: Turn = None,
    fork: Annotated[bool, typer.Option("--fork", help="Go on from a copy; with --turn, as it was after it.")] = False,
    fork_if_busy: Annotated[bool, typer.Option("--fork-if-busy", help="Fork only while the thread is busy.")] = False,
) -> Started:
    """Start the next turn of a thread. Keeps its directory and model, never its sandbox."""
    from codex_server_cli.actions.start import threads  # imports the readers, which `new` does not need

    check_one_thread(last=last, thread=thread, turn=turn)
    if options.is_ephemeral and not (fork or fork_if_busy):
        raise UsageError("--ephemeral needs --fork", hint="An existing thread stays what it is.")
    settings = Settings.load()
    if thread is not None:
        choice = threads.choose_by_id(settings, thread)
    elif turn is not None:
        choice = threads.choose_by_turn(settings, turn, options.cwd)
    else:
        choice = threads.choose_last(settings, options.cwd)
    return start.go_on(settings, options, context.obj or prepare(), choice, is_fork=fork, may_fork_if_busy=fork_if_busy)


@starts_a_review
def review(
    context: typer.Context,
    options: StartOptions,
    uncommitted: Annotated[bool, typer.Option("--uncommitted", help="Review what is uncommitted (default).")] = False,
    base: Annotated[
        str | None, typer.Option("--base", metavar="BRANCH", help="Review what was changed since this branch.")
    ] = None,
    commit: Annotated[str | None, typer.Option("--commit", metavar="SHA", help="Review one commit.")] = None,
    instructions: Annotated[
        str | None, typer.Option("--instructions", metavar="TEXT", help="Review what the text, or - on stdin, says.")
    ] = None,
) -> Started:
    """Start a review of code as a turn: Codex's own reviewer, which reads and never writes."""
    from codex_server_cli.actions.start import review as reviews

    given = {"--base": base, "--commit": commit, "--instructions": instructions}
    if sum((uncommitted, *(value is not None for value in given.values()))) > 1:
        raise UsageError("--uncommitted, --base, --commit and --instructions exclude each other")
    for flag, value in given.items():
        if value is not None and is_blank(value):  # an unset variable of a script
            raise UsageError(f"{flag} is empty")
    if instructions is None:
        warn_of_unread_stdin(
            "git tells what is reviewed; `--instructions TEXT` takes what is piped in, behind its text"
        )
    choice = reviews.ReviewChoice(base, commit, read_prompt((instructions,)) if instructions is not None else None)
    return reviews.review(Settings.load(), options, context.obj or prepare(), choice)
