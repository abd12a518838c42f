"""What the verbs that start a turn share: reading their flags, and showing the turn."""

from __future__ import annotations

from typing import Any

from codex_server_cli.actions.start.checks import warn_of_surroundings
from codex_server_cli.actions.start.options import StartOptions, from_flags, is_path
from codex_server_cli.actions.start.start import Started
from codex_server_cli.cli import output
from codex_server_cli.cli.parameters import START_FLAGS, defaults_of
from codex_server_cli.cli.prompts import read_prompt
from codex_server_cli.core.documents import turn as turn_documents
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.errors import Exit, UsageError
from codex_server_cli.settings.places import Settings


def read_options(flags: dict[str, Any]) -> StartOptions:
    """Check the flags of a verb that starts a turn, and read its prompt if it has one.

    Raises:
        UsageError: they contradict each other, or the prompt is missing.
        BadInputError: the prompt cannot be read.
    """
    if flags["follow"] and flags["wait"]:
        raise UsageError("--follow and --wait exclude each other")
    if "prompt" not in flags:
        return options_of(flags, "")
    inputs = [given for given in (flags["schema"], *flags["image"]) if given and is_path(given)]
    return options_of(flags, read_prompt((flags["prompt"], flags["stdin"]), flags["file"], inputs))


def options_of(given: dict[str, Any], prompt: str) -> StartOptions:
    """Convert the parsed flags for the action; a flag that the verb does not have gets its default."""
    return from_flags(defaults_of(START_FLAGS) | given, prompt)


def check_one_thread(*, last: bool, thread: str | None, turn: str | None) -> None:
    """Check that at most one flag selects the thread.

    Raises:
        UsageError: several do.
    """
    if sum((last, thread is not None, turn is not None)) > 1:
        raise UsageError("--last, --thread and --turn exclude each other")


def show_started(started: Started, options: StartOptions, flags: dict[str, Any]) -> Exit:
    """Show a started turn according to its flags: its id, or its text to its end."""
    for warning in started.warnings:
        output.note(f"codex-server: {warning}", "YELLOW")
    view, is_json = started.view, output.wants_json(flags["json"], flags["full"])
    goes_on = flags["follow"] or flags["wait"]
    if started.is_existing and (is_json or goes_on):
        output.note(f"already started as {view.turn_id} ({view.state})")
    if not goes_on:
        if is_json:
            output.show_json(turn_documents.started(view, is_full=flags["full"], is_existing=started.is_existing))
        else:
            _show_start(started)
        if not started.is_existing:
            output.note_if(warn_of_surroundings(Settings.load()))  # after the id, which the caller waits for
        return Exit.OK
    from codex_server_cli.cli.show_turn import (
        follow_text,
        report_end,
        show_answer,
        wait_for_end,
        wait_for_end_or_request,
    )

    if not started.is_existing:
        _note_start(view)
    if flags["follow"]:
        return follow_text(Settings.load(), view.turn_id, is_raw=flags["raw"])
    wait = wait_for_end_or_request if options.may_ask else wait_for_end
    ended = wait(Settings.load(), view.turn_id)
    if is_json:
        output.show_json(turn_documents.ended(ended, is_full=flags["full"], is_existing=started.is_existing))
    else:
        show_answer(ended, is_raw=flags["raw"])
    return report_end(ended, is_told=is_json)


def _show_start(started: Started) -> None:
    """Print on stdout, a terminal, that a turn was started, and what to do now."""
    from codex_server_cli.actions.read import for_people
    from codex_server_cli.render.turns import card  # a pipe needs none of these

    settings = Settings.load()
    view = started.view if started.is_existing else for_people.new_turn(settings, started.view)
    short_id = for_people.shortened(settings, [view.turn_id])[view.turn_id]
    name = short_id if started.is_existing else for_people.newest_called(view, short_id)
    output.show_styled(card.started(view, short_id, name, output.display(), is_existing=started.is_existing))


def _note_start(view: TurnView) -> None:
    """Print on stderr which turn is shown from now on."""
    display = output.error_display()
    if display is None:
        output.note(f"turn {view.turn_id}")
        return
    from codex_server_cli.actions.read.for_people import shortened
    from codex_server_cli.render.turns import card

    short_id = shortened(Settings.load(), [view.turn_id])[view.turn_id]
    output.note_styled(card.going_on(short_id, display))
