"""The flags that a turn was started with, in a form that can be given again from any directory. Owns only that.

They are stored with the turn for the commands in its hints. Must never contain a default value (built in or of
`config.json`), because it applies again anyway. Values are stored as checked: durations in seconds, absolute paths.
"""

from __future__ import annotations

import os

from codex_server_cli.actions.start.options import GivenServer, StartOptions, ThreadChoice, is_path
from codex_server_cli.core.model.request import BELL, Approval, Flags, Sandbox, TurnRequest
from codex_server_cli.core.result.commands import seconds


def given_flags(options: StartOptions, request: TurnRequest) -> Flags:
    """The flags that the user gave, except for the prompt, the pictures and the thread.

    Args:
        request: the checked request made of the options.
    """
    asks = options.approval is not Approval.NEVER
    found = {
        "--write": _switch(options.sandbox is Sandbox.WORKSPACE_WRITE),
        "--sandbox": _value(options.sandbox if options.sandbox is not Sandbox.WORKSPACE_WRITE else None),
        "--skip-git-check": _switch(options.may_skip_git_check),
        "--worktree": _switch(options.has_worktree),  # without its name, which the first worktree has
        "--add-dir": [*request.writable_roots] or None,
        "--network": _switch(options.has_network),
        "--approval": _value(options.approval if asks else None),
        "--approval-timeout": _seconds(options.approval_timeout_s),
        "--questions": _switch(options.may_ask_questions),
        "--plan": _switch(options.is_plan),
        "--model": _value(options.model),
        "--effort": _value(options.effort),
        "--profile": _value(options.profile),
        "--config": [*options.config] or None,
        "--schema": _switch(options.schema is not None),  # the turn keeps a copy; see `schema_source`
        **_server_flags(options.server or GivenServer()),
        "--ephemeral": _switch(options.is_ephemeral),
        "--name": _value(options.name),
        "--deadline": _seconds(options.deadline_s),
        "--after-reset": _switch(options.is_after_reset),
        "--notify": _value(_notify(options, request)),
        "--allow-nested": _switch(options.may_nest),
    }
    if options.review is not None:
        del found["--sandbox"]  # fixed for a review, which has no such flag
    return {name: values for name, values in found.items() if values is not None}


def _notify(options: StartOptions, request: TurnRequest) -> str | None:
    """The command with the absolute path of its program; `bell` unresolved: the next terminal may be another one."""
    return options.notify if options.notify in (None, BELL) else request.notify


def _server_flags(server: GivenServer) -> dict[str, list[str] | None]:
    token_file = os.path.abspath(server.token_file) if server.token_file else None  # noqa: PTH100 — links and all
    return {
        "--server": _value(server.url),
        "--server-token-file": _value(token_file),
        "--server-token-env": _value(server.token_env),
        "--insecure": _switch(server.is_insecure),
    }


def schema_source(options: StartOptions) -> str | None:
    """The schema's file; None where there is no file to edit."""
    path = schema_path(options)
    return path if path is not None and os.path.isfile(path) else None  # noqa: PTH113 — any name


def schema_path(options: StartOptions) -> str | None:
    """The schema's file, absolute; None where there is none, or the schema itself was given."""
    if not options.schema or not is_path(options.schema):
        return None
    return os.path.abspath(options.schema)  # noqa: PTH100 — as given, links and all


def given_selector(choice: ThreadChoice, *, is_fork: bool, may_fork_if_busy: bool) -> Flags:
    """The flags that select the thread, whatever its newest turn is when they are used.

    Args:
        is_fork: `--fork` was asked for: with `--turn` a copy of the thread as it was after that turn.
    """
    after_turn = is_fork and choice.resumed_from is not None and choice.fork_after is not None
    thread = {"--turn": [str(choice.resumed_from)]} if after_turn else {"--thread": [choice.thread_id]}
    forks = {"--fork": _switch(is_fork), "--fork-if-busy": _switch(may_fork_if_busy)}
    return thread | {name: values for name, values in forks.items() if values is not None}


def _switch(is_given: bool) -> list[str] | None:
    return [] if is_given else None


def _value(value: str | None) -> list[str] | None:
    return [str(value)] if value is not None else None


def _seconds(value: float | None) -> list[str] | None:
    return [seconds(value)] if value is not None else None
