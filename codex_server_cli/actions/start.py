"""Starting turns: `new` and `continue`. Owns the checks that come before a turn exists, and their order.

Everything is checked before anything is made: a refused turn leaves nothing on disk and has spent nothing. Must never
print, or wait for the turn.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, NamedTuple

from codex_server_cli.actions import checks
from codex_server_cli.actions.notify import choose_command
from codex_server_cli.core.prompt import check_prompt
from codex_server_cli.core.request import APPROVAL_TIMEOUT_S, Approval, Sandbox, TurnRequest
from codex_server_cli.core.thread_config import layered, value_in
from codex_server_cli.core.turn import State, format_time_ms
from codex_server_cli.core.view import TurnView
from codex_server_cli.errors import BusyError
from codex_server_cli.proc.codex_binary import find_codex
from codex_server_cli.proc.launch import Launch
from codex_server_cli.proc.login import check_login, custom_provider, read_codex_config
from codex_server_cli.settings.config import Config, read_config
from codex_server_cli.settings.places import Settings


class StartOptions(NamedTuple):
    """What the user asked for, as the face parsed it; see the flags of `new`. None leaves a choice to the defaults."""

    prompt: str
    cwd: str | None = None
    model: str | None = None
    effort: str | None = None
    schema: str | None = None
    images: tuple[str, ...] = ()
    sandbox: Sandbox | None = None
    add_dirs: tuple[str, ...] = ()
    has_network: bool = False
    config: tuple[str, ...] = ()
    profile: str | None = None
    approval: Approval = Approval.NEVER
    approval_timeout_s: float | None = None
    may_ask_questions: bool = False
    is_plan: bool = False
    review: dict[str, Any] | None = None
    is_after_reset: bool = False
    notify: str | None = None
    is_ephemeral: bool = False
    name: str | None = None
    deadline_s: float | None = None
    may_skip_git_check: bool = False
    may_nest: bool = False

    @property
    def may_ask(self) -> bool:
        """Whether the turn may come to wait for a person."""
        return self.approval is Approval.ASK or self.may_ask_questions or self.is_plan


class ThreadChoice(NamedTuple):
    """The thread that a turn goes on with.

    Attributes:
        thread_id: Codex's id.
        cwd: where the thread works, if known.
        resumed_from: our turn that led to it, if one did.
        fork_after: Codex's id of the last turn to keep, for a fork after one of our turns.
        model: what it ran with last, if known.
    """

    thread_id: str
    cwd: str | None
    resumed_from: str | None = None
    fork_after: str | None = None
    model: str | None = None


class Started(NamedTuple):
    """A turn on its way; `warnings` are for people."""

    view: TurnView
    warnings: tuple[str, ...] = ()


def new(settings: Settings, options: StartOptions, launch: Launch) -> Started:
    """Start a turn on a new thread.

    Args:
        launch: the worker that will take it; it goes away by itself where we raise.

    Raises:
        CodexServerError: any of the tree but `NotFoundError`; nothing was made.
    """
    return _start(settings, options, launch, None, is_fork=False)


def go_on(
    settings: Settings,
    options: StartOptions,
    launch: Launch,
    choice: ThreadChoice,
    *,
    is_fork: bool,
    may_fork_if_busy: bool = False,
) -> Started:
    """Start the next turn of a thread, or of a fork of it. Keeps the thread's cwd and model, never its sandbox.

    Raises:
        BusyError: the thread is being written, or something waits in it, and no fork was asked for.
        CodexServerError: as `new`.
    """
    from codex_server_cli.actions.threads import (  # the readers' weight, which `new` need not carry
        holder_of_thread,
        what_waits_in_thread,
    )

    if options.cwd is None:
        options = options._replace(cwd=choice.cwd)
    if not is_fork:
        holder = holder_of_thread(settings, choice.thread_id)
        if holder is not None and not may_fork_if_busy:
            raise BusyError.of_thread(choice.thread_id, *holder)
        waiting = what_waits_in_thread(settings, choice.thread_id) if holder is None else None
        if waiting is not None and not may_fork_if_busy:
            raise BusyError.of_occupied_thread(choice.thread_id, waiting)
        is_fork = holder is not None or waiting is not None
    return _start(settings, options, launch, choice, is_fork=is_fork, may_fork_if_busy=may_fork_if_busy)


def _start(
    settings: Settings,
    options: StartOptions,
    launch: Launch,
    choice: ThreadChoice | None,
    *,
    is_fork: bool,
    may_fork_if_busy: bool = False,
) -> Started:
    prompt = check_prompt(options.prompt)
    config = read_config(settings.config_path)
    profile, warnings = _read_profile(settings, options.profile)
    request, parent = _make_request(
        settings, options, config, choice, profile, is_fork=is_fork, may_fork_if_busy=may_fork_if_busy
    )
    codex = find_codex(config.codex, settings.search_path)
    check_login(
        settings.codex_home, codex.path, may_bill_api_key=config.may_bill_api_key, profile=request.profile_config
    )
    if options.model is not None or options.effort is not None:
        warnings += _check_model(settings, codex.path, request, choice)
    meta = {
        "version": 1,
        "name": options.name,
        "thread_id": None if is_fork else request.thread_id,
        "codex_turn_id": None,
        "started_at": format_time_ms(time.time_ns() // 1_000_000),
        "finished_at": None,
        "cwd": request.cwd,
        "model": request.model,
        "effort": request.effort,
        "sandbox": str(request.sandbox),
        "approval": str(request.approval),
        "effective": None,
        "server": None,
        "pid": None,
        "pid_start_ticks": None,
        "boot_id": None,
        "codex": str(codex.path),
        "codex_version": codex.version,
        "resumed_from": choice.resumed_from if choice else None,
        "forked_from": request.thread_id if is_fork else None,
        "parent_turn": parent,
        "schema": os.path.abspath(options.schema) if options.schema else None,  # noqa: PTH100 — as given, links and all
        "images": list(request.images),
        "request": request.to_json(),
    }
    fork_meta = _forked(meta, request, choice) if choice and may_fork_if_busy and not is_fork else None
    turn_id, has_forked = launch.hand_over(settings.turns_path, prompt, meta, config.max_running, fork_meta)
    told = fork_meta if has_forked and fork_meta is not None else meta
    view = TurnView(turn_id, str(settings.turns_path / turn_id), State.RUNNING, meta=told)
    return Started(view, config.warnings + warnings + checks.warn_of_open_home(settings, request))


def _read_profile(settings: Settings, name: str | None) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """What a profile sets, and what to warn of."""
    if name is None:
        return None, ()
    from codex_server_cli.actions.profile import read_profile

    return read_profile(settings.codex_home, name)


def _check_model(settings: Settings, codex: Path, request: TurnRequest, choice: ThreadChoice | None) -> tuple[str, ...]:
    """What to warn of; a provider of the user's own has models that Codex does not know."""
    from codex_server_cli.actions.model_check import check_model

    config = read_codex_config(settings.codex_home, request.profile_config)
    if custom_provider(config) is not None:
        return ()
    model = request.asked_model or (choice.model if choice is not None else value_in(config, "model"))
    return check_model(settings, codex, model=model, effort=request.asked_effort, is_new_thread=choice is None)


def _forked(meta: dict[str, Any], request: TurnRequest, choice: ThreadChoice) -> dict[str, Any]:
    """The same turn on a fork of its thread, for the case that another turn takes the thread in this very moment."""
    fork = request._replace(is_fork=True, fork_after=choice.fork_after)
    return meta | {"thread_id": None, "forked_from": request.thread_id, "request": fork.to_json()}


def _make_request(
    settings: Settings,
    options: StartOptions,
    config: Config,
    choice: ThreadChoice | None,
    profile: dict[str, Any] | None,
    *,
    is_fork: bool,
    may_fork_if_busy: bool,
) -> tuple[TurnRequest, str | None]:
    """The request that the options amount to, and the turn that we run inside of."""
    parent = checks.check_nesting(settings, may_nest=options.may_nest)
    cwd = checks.check_cwd(options.cwd)
    sandbox = options.sandbox or Sandbox(config.sandbox or Sandbox.READ_ONLY)
    if sandbox is not Sandbox.READ_ONLY and not options.may_skip_git_check:
        checks.check_git(Path(cwd))
    if options.name is not None:
        checks.check_name(options.name)
    overrides = checks.parse_overrides(options.config)
    is_model_open = choice is None and "model" not in layered(profile, overrides)
    request = TurnRequest(
        turn_id="",
        cwd=cwd,
        model=options.model or (config.model if is_model_open else None),
        effort=options.effort,
        sandbox=sandbox,
        writable_roots=checks.check_add_dirs(options.add_dirs, sandbox),
        has_network=options.has_network,
        images=checks.check_images(options.images),
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
        deadline_s=checks.check_deadline(options.deadline_s),
        may_bill_api_key=config.may_bill_api_key,
        notify=choose_command(settings, options.notify, config),
        is_after_reset=options.is_after_reset,
    )
    checks.check_encodable(request)
    return request, parent
