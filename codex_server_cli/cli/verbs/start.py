"""The verbs that start turns: `new`, `continue` and `review`.

Each takes, besides its own parameters, `flags`: the values of those in `parameters.START_FLAGS` or `REVIEW_FLAGS`, and
of the prompt's; and `launch`, the worker that is being prepared, if the entry point has spawned one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codex_server_cli.actions.control.prepare import prepare
from codex_server_cli.actions.start import start
from codex_server_cli.actions.start.options import StartOptions
from codex_server_cli.cli.prompts import read_prompt, warn_of_unread_stdin
from codex_server_cli.cli.start_options import check_one_thread, read_options, show_started
from codex_server_cli.core.inputs import is_blank
from codex_server_cli.core.model.request import Flags
from codex_server_cli.errors import Exit, UsageError
from codex_server_cli.settings.places import Settings


def new(launch: Any = None, **flags: Any) -> Exit:
    """Start a turn on a new thread, and show it according to its flags."""
    options, settings = read_options(flags), Settings.load()
    started = _start(
        settings, options, launch, {"verb": ["new"]}, lambda keyed: start.new(settings, keyed, launch or prepare())
    )
    return show_started(started, options, flags)


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
    """Start the next turn of a thread, and show it according to its flags."""
    from codex_server_cli.actions.start import threads  # imports the readers, which `new` does not need

    options = read_options(flags)
    check_one_thread(last=last, thread=thread, turn=turn)
    if options.is_ephemeral and not (fork or fork_if_busy):
        raise UsageError("--ephemeral needs --fork", hint="An existing thread stays what it is.")
    settings = Settings.load()

    def begin(keyed: StartOptions) -> start.Started:
        if thread is not None:
            choice = threads.choose_by_id(settings, thread, keyed.server)
        elif turn is not None:
            choice = threads.choose_by_turn(settings, turn, keyed.cwd)
        else:
            choice = threads.choose_last(settings, keyed.cwd, keyed.server)
        return start.go_on(settings, keyed, launch or prepare(), choice, is_fork=fork, may_fork_if_busy=fork_if_busy)

    call = _given("continue", thread=thread, turn=turn, fork=fork, fork_if_busy=fork_if_busy)
    return show_started(_start(settings, options, launch, call, begin), options, flags)


def review(
    launch: Any = None,
    *,
    uncommitted: bool,
    base: str | None,
    commit: str | None,
    instructions: str | None,
    **flags: Any,
) -> Exit:
    """Start a review of code as a turn, and show it according to its flags."""
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
    settings, options = Settings.load(), options._replace(prompt=choice.instructions or "")
    call = _given("review", base=base, commit=commit)
    started = _start(
        settings, options, launch, call, lambda keyed: reviews.review(settings, keyed, launch or prepare(), choice)
    )
    return show_started(started, options, flags)


def _given(verb: str, **flags: str | bool | None) -> Flags:
    """What identifies a call besides its options: the verb, and those of these flags that are given."""
    given = {f"--{name.replace('_', '-')}": value for name, value in flags.items() if value not in (None, False)}
    return {"verb": [verb]} | {flag: [] if value is True else [str(value)] for flag, value in given.items()}


def _start(
    settings: Settings,
    options: StartOptions,
    launch: Any,
    call: Flags,
    begin: Callable[[StartOptions], start.Started],
) -> start.Started:
    """Start a turn; with a key only one for all calls with it (`once.only_once`)."""
    if options.once is None:
        return begin(options)
    from codex_server_cli.actions.start.once import only_once

    return only_once(settings, options, launch, call, begin)
