"""What the verbs that start a turn share: reading their flags, and showing the turn."""

from __future__ import annotations

from typing import Any

from codex_server_cli.actions.start.checks import warn_of_surroundings
from codex_server_cli.actions.start.options import GivenServer, Once, StartOptions
from codex_server_cli.actions.start.start import Started
from codex_server_cli.cli import output
from codex_server_cli.cli.parameters import START_FLAGS, defaults_of
from codex_server_cli.cli.prompts import read_prompt
from codex_server_cli.core.documents import turn as turn_documents
from codex_server_cli.core.duration import parse_duration_s
from codex_server_cli.core.model.request import Sandbox
from codex_server_cli.errors import Exit, UsageError
from codex_server_cli.settings.places import Settings


def read_options(flags: dict[str, Any]) -> StartOptions:
    """Check the flags of a verb that starts a turn, and read its prompt where it takes one.

    Raises:
        UsageError: they contradict each other, or the prompt is missing.
        BadInputError: the prompt cannot be read.
    """
    if flags["follow"] and flags["wait"]:
        raise UsageError("--follow and --wait exclude each other")
    if "prompt" not in flags:
        return options_of(flags, "")
    inputs = (flags["schema"], *flags["image"])
    return options_of(flags, read_prompt((flags["prompt"], flags["stdin"]), flags["file"], inputs))


def options_of(given: dict[str, Any], prompt: str) -> StartOptions:
    """Convert the parsed flags for the action; a flag that the verb does not have gets its default."""
    given = defaults_of(START_FLAGS) | given
    for name in ("model", "effort", "schema", "profile", "notify", "once"):
        if given[name] is not None and not given[name].strip():  # an unset variable of a script
            raise UsageError(f"--{name} is empty")
    if given["write"] and given["sandbox"] not in (None, Sandbox.WORKSPACE_WRITE):
        raise UsageError(f"--write and --sandbox {given['sandbox']} exclude each other")
    options = StartOptions(
        prompt=prompt,
        cwd=given["cwd"],
        model=given["model"],
        effort=given["effort"],
        schema=given["schema"],
        images=tuple(given["image"]),
        sandbox=Sandbox.WORKSPACE_WRITE if given["write"] else given["sandbox"],
        add_dirs=tuple(given["add_dir"]),
        has_network=given["network"],
        config=tuple(given["config"]),
        profile=given["profile"],
        approval=given["approval"],
        approval_timeout_s=_seconds(given["approval_timeout"], "--approval-timeout"),
        may_ask_questions=given["questions"],
        is_plan=given["plan"],
        is_ephemeral=given["ephemeral"],
        name=given["name"],
        deadline_s=_seconds(given["deadline"], "--deadline"),
        is_after_reset=given["after_reset"],
        notify=given["notify"],
        may_skip_git_check=given["skip_git_check"],
        may_nest=given["allow_nested"],
        once=_once(given["once"], given["once_for"]),
        has_worktree=given["worktree"] or given["worktree_name"] is not None,
        worktree_name=given["worktree_name"],
        server=server_of(given),
    )
    if given["approval_timeout"] is not None and not options.may_ask:
        raise UsageError("--approval-timeout needs --approval ask, --questions or --plan", hint="Nothing else waits.")
    return options


def server_of(given: dict[str, Any]) -> GivenServer | None:
    """The app-server that the flags name; None where they name none, nor how to be let in.

    Raises:
        UsageError: one is empty, or there are two tokens.
    """
    flags = {name: given[name] for name in ("server", "server_token_file", "server_token_env")}
    if not (any(value is not None for value in flags.values()) or given["insecure"]):
        return None
    for name, value in flags.items():
        if value is not None and not value.strip():  # an unset variable of a script
            raise UsageError(f"--{name.replace('_', '-')} is empty")
    if flags["server_token_file"] is not None and flags["server_token_env"] is not None:
        raise UsageError("--server-token-file and --server-token-env exclude each other")
    return GivenServer(flags["server"], flags["server_token_file"], flags["server_token_env"], given["insecure"])


def check_one_thread(*, last: bool, thread: str | None, turn: str | None) -> None:
    """Check that at most one flag selects the thread.

    Raises:
        UsageError: several do.
    """
    if sum((last, thread is not None, turn is not None)) > 1:
        raise UsageError("--last, --thread and --turn exclude each other")


def _once(key: str | None, once_for: str | None) -> Once | None:
    if once_for is None:
        return Once(key) if key is not None else None
    if key is None:
        raise UsageError("--once-for needs --once")
    for_s = parse_duration_s(once_for, "--once-for", needs_unit=True)
    if not for_s:
        raise UsageError("--once-for must be more than 0 seconds")
    return Once(key, for_s)


def _seconds(text: str | None, flag: str) -> float | None:
    return parse_duration_s(text, flag) if text is not None else None


def show_started(started: Started, options: StartOptions, flags: dict[str, Any]) -> Exit:
    """Show a started turn as its flags say: its id, or how it goes on, to its end."""
    for warning in started.warnings:
        output.note(f"codex-server: {warning}")
    view = started.view
    if started.is_existing:
        output.note(f"already started as {view.turn_id} ({view.state})")
    if not (flags["follow"] or flags["wait"]):
        output.show_json(turn_documents.started(view, is_full=flags["full"], is_existing=started.is_existing))
        if not started.is_existing:
            output.note_if(warn_of_surroundings(Settings.load()))  # after the id, which somebody waits for
        return Exit.OK
    from codex_server_cli.cli.show_turn import follow_text, report_end, wait_for_end, wait_for_end_or_request

    if not started.is_existing:
        output.note(f"turn {view.turn_id}")
    if flags["follow"]:
        return follow_text(Settings.load(), view.turn_id)
    wait = wait_for_end_or_request if options.may_ask else wait_for_end
    ended = wait(Settings.load(), view.turn_id)
    output.show_json(turn_documents.ended(ended, is_full=flags["full"], is_existing=started.is_existing))
    return report_end(ended, is_told=True)
