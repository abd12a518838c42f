"""The verb `chat`: its flags, and what a terminal must be for it. The conversation itself is `chat_loop`'s."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from codex_server_cli.actions import chat as actions
from codex_server_cli.actions.checks import check_cwd
from codex_server_cli.actions.options import StartOptions
from codex_server_cli.cli import output, starting
from codex_server_cli.cli.parameters import complete_turn
from codex_server_cli.core.request import Approval, Sandbox
from codex_server_cli.errors import UsageError
from codex_server_cli.settings.config import read_config
from codex_server_cli.settings.places import Settings

Prompt = Annotated[str | None, typer.Argument(help="The first message; none: type it.", show_default=False)]
ChatApproval = Annotated[Approval, typer.Option("--approval", help="Who decides over what the sandbox forbids.")]


def chat(
    prompt: Prompt = None,
    last: Annotated[bool, typer.Option("--last", help="Go on with the newest thread of this directory.")] = False,
    thread: Annotated[
        str | None, typer.Option("--thread", metavar="ID", help="Go on with this thread, or name.")
    ] = None,
    turn: Annotated[
        str | None,
        typer.Option("--turn", metavar="TURN", help="Go on with this turn's thread.", autocompletion=complete_turn),
    ] = None,
    model: starting.Model = None,
    effort: starting.Effort = None,
    cwd: starting.Cwd = None,
    sandbox: starting.SandboxOption = None,
    write: starting.Write = False,
    add_dir: starting.AddDirs = None,
    network: starting.Network = False,
    skip_git_check: starting.SkipGit = False,
    config: starting.Overrides = None,
    profile: starting.Profile = None,
    approval: ChatApproval = Approval.ASK,
    approval_timeout: starting.ApprovalTimeout = None,
    questions: starting.Questions = False,
    allow_nested: starting.Nested = False,
) -> None:
    """Converse at a terminal: every exchange is an ordinary turn that any other shell can follow."""
    if sum((last, thread is not None, turn is not None)) > 1:
        raise UsageError("--last, --thread and --turn exclude each other")
    flags = {
        "model": model,
        "effort": effort,
        "cwd": cwd,
        "sandbox": sandbox,
        "write": write,
        "add_dir": add_dir,
        "network": network,
        "skip_git_check": skip_git_check,
        "config": config,
        "profile": profile,
        "approval": approval,
        "approval_timeout": approval_timeout,
        "questions": questions,
        "allow_nested": allow_nested,
    }
    options = starting.options_of(flags, prompt or "")
    _check_terminal()
    settings = Settings.load()
    if last:
        place = actions.place_of_last(settings, cwd)
    elif thread is not None:
        place = actions.place_of_thread(settings, thread)
    elif turn is not None:
        place = actions.place_of_turn(settings, turn, cwd)
    else:
        place = actions.Place()
    actions.check_model(settings, options, place)
    _converse(settings, options, place)


def _check_terminal() -> None:
    hint = 'codex-server new "your message" starts a turn from anywhere.'
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("chat needs a terminal", hint=hint)
    from prompt_toolkit.utils import is_dumb_terminal

    if is_dumb_terminal():
        raise UsageError("chat needs a terminal whose cursor can be moved, and TERM is dumb", hint=hint)


def _converse(settings: Settings, options: StartOptions, place: actions.Place) -> None:
    import asyncio

    from rich.console import Console

    from codex_server_cli.cli.chat_loop import Chat
    from codex_server_cli.cli.chat_text import Painter

    sandbox = options.sandbox or Sandbox(read_config(settings.config_path).sandbox or Sandbox.READ_ONLY)
    options = options._replace(sandbox=sandbox, cwd=check_cwd(options.cwd) if options.cwd is not None else None)
    conversation = Chat(settings, options, place, Painter(Console(highlight=False, markup=False, emoji=False)))
    asyncio.run(conversation.run(options.prompt or None))
    _say_goodbye(conversation.exchange, conversation.place)


def _say_goodbye(running: actions.Exchange | None, place: actions.Place) -> None:
    """What goes on, and how to come back."""
    if running is not None:
        turn_id = running.directory.turn_id
        output.note(f"turn {turn_id} goes on: codex-server tail {turn_id} --follow")
        output.note(f"back to it: codex-server chat --turn {turn_id}")
    elif place.choice is not None:
        output.note(f"back to it: codex-server chat --thread {place.choice.thread_id}")
