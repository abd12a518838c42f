"""Making the request of a turn from the options of a start. Owns the order of these checks; must create nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codex_server_cli.actions.notify_command import choose_command
from codex_server_cli.actions.start import checks
from codex_server_cli.actions.start.given_flags import schema_source
from codex_server_cli.actions.start.options import StartOptions, ThreadChoice
from codex_server_cli.core.model.codex_config import layered
from codex_server_cli.core.model.request import APPROVAL_TIMEOUT_S, Sandbox, TurnRequest
from codex_server_cli.errors import UsageError
from codex_server_cli.settings.config import Config
from codex_server_cli.settings.places import Settings


def make_request(
    settings: Settings,
    options: StartOptions,
    config: Config,
    choice: ThreadChoice | None,
    profile: dict[str, Any] | None,
    images: tuple[str, ...],
    *,
    is_fork: bool,
    may_fork_if_busy: bool,
    is_elsewhere: bool = False,
) -> tuple[TurnRequest, str | None]:
    """The request made from the options, and the turn that we run inside, if any.

    Args:
        profile: the settings of their profile, if they name one.
        images: the names of the pictures' copies, within the turn's directory.
        is_elsewhere: the turn's directories are on another host.

    Raises:
        CodexServerError: as `start.new`.
    """
    parent = checks.check_nesting(settings, may_nest=options.may_nest)
    check_directory: Callable[..., str] = checks.check_cwd
    if is_elsewhere:
        from codex_server_cli.actions.start.place.server import remote_dir

        check_directory = remote_dir
    cwd = check_directory(options.cwd)
    sandbox = options.sandbox or Sandbox(config.sandbox or Sandbox.READ_ONLY)
    writable_roots = checks.check_add_dirs(options.add_dirs, sandbox, check_directory)
    if options.has_worktree and sandbox is Sandbox.READ_ONLY:
        raise UsageError("--worktree needs --write", hint="A turn that writes nothing needs no copy to write in.")
    if sandbox is not Sandbox.READ_ONLY and not (options.may_skip_git_check or is_elsewhere):
        checks.check_git(*(() if options.has_worktree else (cwd,)), *writable_roots)  # a worktree is checked separately
    if options.name is not None:
        checks.check_name(settings, options.name)
    overrides = checks.parse_overrides(options.config)
    request = TurnRequest(
        turn_id="",
        cwd=cwd,
        model=options.model or default_model(config, choice, profile, overrides),
        effort=options.effort,
        sandbox=sandbox,
        writable_roots=writable_roots,
        has_network=options.has_network,
        images=images,
        schema=checks.read_schema(options.schema) if options.schema is not None else None,
        config=overrides,
        profile=options.profile,
        profile_config=profile,
        is_ephemeral=options.is_ephemeral,
        thread_id=choice.thread_id if choice else None,
        is_fork=is_fork,
        fork_after=choice.fork_after if choice and is_fork else None,
        may_fork_if_busy=may_fork_if_busy,
        approval=options.approval,
        approval_timeout_s=checks.check_deadline(options.approval_timeout_s, "--approval-timeout")
        or APPROVAL_TIMEOUT_S,
        may_ask_questions=options.may_ask_questions,
        is_plan=options.is_plan,
        review=options.review,
        is_compaction=options.is_compaction,
        deadline_s=checks.check_deadline(options.deadline_s),
        may_bill_api_key=config.may_bill_api_key,
        notify=choose_command(settings, options.notify, config),
        is_after_reset=options.is_after_reset,
        keeps_events=config.keeps_events,
        schema_source=schema_source(options),
    )
    checks.check_encodable(request)
    return request, parent


def default_model(
    config: Config, choice: ThreadChoice | None, profile: dict[str, Any] | None, overrides: dict[str, Any] | None
) -> str | None:
    """The model of `config.json`, for a new thread where neither profile nor overrides set one."""
    return config.model if choice is None and "model" not in layered(profile, overrides) else None
