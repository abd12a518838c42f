"""The verbs that start turns: `new`, `continue` and `review`.

Each takes, besides its own parameters, `flags`: the values of those in `parameters.START_FLAGS` or `REVIEW_FLAGS`, and
of the prompt's. And `launch`, the worker that is being prepared, where the entry point has spawned one.
"""

from __future__ import annotations

from typing import Any

from codex_server_cli.actions.control.prepare import prepare
from codex_server_cli.actions.start import start
from codex_server_cli.cli.prompts import read_prompt, warn_of_unread_stdin
from codex_server_cli.cli.start_options import check_one_thread, read_options, show_started
from codex_server_cli.core.inputs import is_blank
from codex_server_cli.errors import Exit, UsageError
from codex_server_cli.settings.places import Settings


def new(launch: Any = None, **flags: Any) -> Exit:
    """Start a turn on a new thread, and show it as its flags say."""
    options = read_options(flags)
    return show_started(start.new(Settings.load(), options, launch or prepare()), options, flags)


def continue_(
    launch: Any = None,
    *,
    last: bool,
    thread: str | None,
    turn: str | None,
    fork: bool,
    fork_if_busy: bool,
    **flags: Any,
) -> Exit:
    """Start the next turn of a thread, and show it as its flags say."""
    from codex_server_cli.actions.start import threads  # imports the readers, which `new` does not need

    options = read_options(flags)
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
    started = start.go_on(settings, options, launch or prepare(), choice, is_fork=fork, may_fork_if_busy=fork_if_busy)
    return show_started(started, options, flags)


def review(
    launch: Any = None,
    *,
    uncommitted: bool,
    base: str | None,
    commit: str | None,
    instructions: str | None,
    **flags: Any,
) -> Exit:
    """Start a review of code as a turn, and show it as its flags say."""
    from codex_server_cli.actions.start import review as reviews

    options = read_options(flags)
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
    return show_started(reviews.review(Settings.load(), options, launch or prepare(), choice), options, flags)
