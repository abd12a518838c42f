"""Starting turns: `new` and `continue`. Owns the order of the checks before a turn exists.

Everything is checked before anything is created: a refused turn leaves nothing on disk and costs nothing. Must never
print, or wait for the turn.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from codex_server_cli.actions.codex_probe import probe_once
from codex_server_cli.actions.notify_command import warn_of_pattern
from codex_server_cli.actions.start import checks
from codex_server_cli.actions.start.given_flags import given_flags, given_selector, schema_path
from codex_server_cli.actions.start.options import StartOptions, ThreadChoice
from codex_server_cli.actions.start.turn_request import make_request
from codex_server_cli.codex.binary import find_codex
from codex_server_cli.codex.login import ThreadTerms, check_login
from codex_server_cli.core.inputs import check_prompt
from codex_server_cli.core.model.codex_config import layered
from codex_server_cli.core.model.request import Flags, Sandbox, TurnRequest
from codex_server_cli.core.model.turn import State, format_time_ms
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.errors import BadInputError
from codex_server_cli.settings.config import Config, read_config
from codex_server_cli.settings.places import Settings
from codex_server_cli.worker.launch import Launch

if TYPE_CHECKING:
    from codex_server_cli.actions.start.place.server import TurnServer


class Started(NamedTuple):
    """A started turn; `warnings` are for people; `is_existing` if an earlier call has started it (`once`)."""

    view: TurnView
    warnings: tuple[str, ...] = ()
    is_existing: bool = False


def new(settings: Settings, options: StartOptions, launch: Launch) -> Started:
    """Start a turn on a new thread.

    Args:
        launch: the worker that will run it; it exits by itself if this raises.

    Raises:
        CodexServerError: any subclass but `NotFoundError`; nothing was created.
        TurnExistsError: the options have a key, and another call has just started the turn (`once.only_once`).
    """
    config = read_config(settings.config_path)
    options, server = choose_server(settings, options, config, None)
    return _start(settings, options, config, server, launch, None, is_fork=False)


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
        BusyError: the thread is being written, or has queued messages or a goal, and no fork was asked for.
        CodexServerError: as `new`.
    """
    from codex_server_cli.actions.start.thread_writer import holder_of_thread, what_waits_in_thread
    from codex_server_cli.core.result.commands import thread_busy, thread_occupied

    config = read_config(settings.config_path)
    options, server = choose_server(settings, options, config, choice)
    selector = given_selector(choice, is_fork=is_fork, may_fork_if_busy=may_fork_if_busy)
    if "/worktrees/" in (choice.cwd or ""):
        from codex_server_cli.actions.start.place.worktree import placed  # runs git

        choice = placed(settings, choice)
    if options.cwd is None:
        options = options._replace(cwd=choice.worktree["started_in"] if choice.worktree else choice.cwd)
    if not is_fork:
        holder = holder_of_thread(settings, choice.thread_id, has_own_server=server is None)
        if holder is not None and not may_fork_if_busy:
            raise thread_busy(choice.thread_id, *holder[:3], may_ask=holder.may_ask)
        waiting = None
        if holder is None and server is None:  # on a server the worker asks
            waiting = what_waits_in_thread(settings, choice.thread_id)
        if waiting is not None and not may_fork_if_busy:
            raise thread_occupied(choice.thread_id, waiting)
        is_fork = holder is not None or waiting is not None
    return _start(
        *(settings, options, config, server, launch, choice),
        is_fork=is_fork,
        may_fork_if_busy=may_fork_if_busy,
        selector=selector,
    )


def _start(
    settings: Settings,
    options: StartOptions,
    config: Config,
    server: TurnServer | None,
    launch: Launch,
    choice: ThreadChoice | None,
    *,
    is_fork: bool,
    may_fork_if_busy: bool = False,
    selector: Flags | None = None,
) -> Started:
    prompt = check_prompt(options.prompt)
    profile, warnings = read_named_profile(settings, options.profile)
    pictures = _read_pictures(options.images)
    is_elsewhere = server is not None and server.is_elsewhere
    request, parent = make_request(
        settings,
        options,
        config,
        choice,
        profile,
        tuple(name for name, _ in pictures),
        is_fork=is_fork,
        may_fork_if_busy=may_fork_if_busy,
        is_elsewhere=is_elsewhere,
    )
    request = request._replace(flags={**(selector or {}), **given_flags(options, request)})
    worktree, told = (None, ()) if is_elsewhere else _choose_worktree(settings, options, choice, request, parent)
    warnings += told
    warnings += warn_of_pattern(settings, options.notify, config)
    codex = None
    if server is None or server.is_ours:
        codex = find_codex(config.codex, settings.search_path, lambda path: probe_once(settings, path))
        terms = ThreadTerms(request.cwd, layered(profile, request.config), lambda: _own_provider(settings, request))
        check_login(settings.codex_home, codex.path, terms, may_bill_api_key=config.may_bill_api_key)
        _check_denials(settings, codex.path, request)
        check_model(settings, codex.path, request, choice, is_default=options.model is None)
    else:  # a foreign server has its own codex, login and models: the worker asks it
        server.check(settings)
    if options.is_after_reset and codex is not None:
        warnings += checks.warn_of_unknown_reset(settings)
    meta = {
        "version": 1,
        "name": options.name,
        "thread_id": None if is_fork else request.thread_id,
        "codex_turn_id": None,
        "started_at": format_time_ms(time.time_ns() // 1_000_000),
        "finished_at": None,
        "cwd": request.cwd,
        "worktree": worktree,
        "model": request.model,
        "effort": request.effort,
        "sandbox": str(request.sandbox),
        "approval": str(request.approval),
        "effective": None,
        "payer": None,
        "server": server.record if server is not None else None,
        "pid": None,
        "pid_start_ticks": None,
        "boot_id": None,
        "codex": str(codex.path) if codex is not None else None,
        "codex_version": codex.version if codex is not None else None,
        "resumed_from": choice.resumed_from if choice else None,
        "forked_from": request.thread_id if is_fork else None,
        "parent_turn": parent,
        "schema": schema_path(options),
        "images": list(request.images),
        "request": request.to_json(),
    }
    if options.once is not None:
        meta["once"] = options.once._asdict()
    if options.echo is not None:
        meta["echo"] = dict(options.echo)
    fork_meta = _make_fork_meta(meta, request, choice) if choice and may_fork_if_busy and not is_fork else None
    turn_id, has_forked = launch.hand_over(settings.turns_path, prompt, meta, config.max_running, fork_meta, pictures)
    used_meta = fork_meta if has_forked and fork_meta is not None else meta
    view = TurnView(turn_id, str(settings.turns_path / turn_id), State.RUNNING, meta=used_meta)
    # A worktree is inside the home, where the turn may not write anything around it.
    place = request if worktree is None else request._replace(cwd=f"{settings.home}/worktrees")
    if not is_elsewhere:
        warnings += checks.warn_of_open_home(settings, place)
    return Started(view, config.warnings + warnings)


def choose_server(
    settings: Settings, options: StartOptions, config: Config, choice: ThreadChoice | None
) -> tuple[StartOptions, TurnServer | None]:
    """See `place.server.choose`; imports nothing where no server is named."""
    is_of_turn = choice is not None and choice.server is not None
    if options.server is None and config.server is None and not is_of_turn:
        return options, None
    from codex_server_cli.actions.start.place.server import choose

    return choose(settings, options, config, choice)


def _choose_worktree(
    settings: Settings, options: StartOptions, choice: ThreadChoice | None, request: TurnRequest, parent: str | None
) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """The turn's worktree, if any, and the warnings about it, or about another turn that writes in the same place."""
    record: dict[str, Any] | None = None
    if options.has_worktree or (choice is not None and choice.worktree is not None):
        from codex_server_cli.actions.start.place.worktree import choose  # runs git

        record, warnings = choose(settings, options, choice, request.cwd)
        if options.has_worktree:
            return record, warnings
    if request.sandbox is Sandbox.READ_ONLY:
        return record, ()
    from codex_server_cli.actions.start.place.second_writer import warn_of_writer  # only for turns that write

    return record, warn_of_writer(settings, record["path"] if record is not None else request.cwd, parent)


def _read_pictures(paths: tuple[str, ...]) -> tuple[tuple[str, bytes], ...]:
    """The names of the pictures within the turn's directory, and their bytes."""
    if not paths:
        return ()
    from codex_server_cli.actions.start.pictures import read_pictures

    return read_pictures(paths)


def read_named_profile(settings: Settings, name: str | None) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """A profile's settings, and the warnings about it."""
    if name is None:
        return None, ()
    from codex_server_cli.actions.start.profile import read_profile

    return read_profile(settings.codex_home, name)


def _check_denials(settings: Settings, codex: Path, request: TurnRequest) -> None:
    """Refuse to override what the user's own `config.toml` denies. The worker checks all other configuration.

    Raises:
        BadInputError: the turn was asked to run without a sandbox, and `config.toml` has a permission profile.
    """
    if request.sandbox is not Sandbox.DANGER_FULL_ACCESS:
        return
    from codex_server_cli.codex.login import read_codex_config
    from codex_server_cli.core.session.permissions import is_own

    name = read_codex_config(settings.codex_home, codex, request.profile_config).get("default_permissions")
    if is_own(name):
        message = f"danger-full-access would lift what the permission profile {name!r} of Codex's config.toml denies"
        raise BadInputError(message, hint="Use --write instead: Codex then keeps what the profile denies.")


def check_model(
    settings: Settings, codex: Path, request: TurnRequest, choice: ThreadChoice | None, *, is_default: bool
) -> None:
    """Check a model or effort, wherever it was asked for; `is_default` if the model may come from `config.json`."""
    if request.asked_model is None and request.asked_effort is None:
        return
    from codex_server_cli.actions.start.model_check import check_request

    source = f" (model in {settings.config_path})" if is_default and request.model is not None else ""
    check_request(settings, codex, request, choice.model if choice is not None else None, source)


def _own_provider(settings: Settings, request: TurnRequest) -> str | None:
    """The provider of a resumed thread; None where it is not known, or the thread is new or a fork."""
    if request.thread_id is None or request.is_fork:
        return None
    from codex_server_cli.disk.codex_sessions import provider_of_thread

    return provider_of_thread(settings.codex_home, request.thread_id)


def _make_fork_meta(meta: dict[str, Any], request: TurnRequest, choice: ThreadChoice) -> dict[str, Any]:
    """The meta of the same turn on a fork of its thread, in case another turn locks the thread meanwhile."""
    fork = request._replace(is_fork=True, fork_after=choice.fork_after)
    return meta | {"thread_id": None, "forked_from": request.thread_id, "request": fork.to_json()}
