"""The verb `chat`: selects the thread and checks the terminal. `loop` runs the conversation."""

from __future__ import annotations

import sys
from typing import Any

from codex_server_cli.actions import chat_terms
from codex_server_cli.actions import conversation as actions
from codex_server_cli.actions.start.options import StartOptions
from codex_server_cli.cli import output
from codex_server_cli.cli.start_options import check_one_thread, options_of
from codex_server_cli.core.model.request import Sandbox
from codex_server_cli.errors import UsageError
from codex_server_cli.settings.config import read_config
from codex_server_cli.settings.places import Settings


def chat(*, prompt: str | None, last: bool, thread: str | None, turn: str | None, **flags: Any) -> None:
    """Converse on a terminal: each exchange is an ordinary turn that any other shell can follow.

    Args:
        flags: the values of `parameters.CHAT_FLAGS`, for every turn.
    """
    if flags["questions"] and flags["no_questions"]:
        raise UsageError("--questions and --no-questions exclude each other")
    options = options_of({**flags, "questions": not flags["no_questions"]}, prompt or "")
    check_one_thread(last=last, thread=thread, turn=turn)
    _check_terminal()
    settings = Settings.load()
    if last:
        target = actions.target_of_last(settings, options.cwd, options.server)
    elif thread is not None:
        target = actions.target_of_thread(settings, thread, options.server)
    elif turn is not None:
        target = actions.target_of_turn(settings, turn, options.cwd)
    else:
        target = actions.ChatTarget()
    chat_terms.check_model(settings, options, target)
    _run_chat(settings, options, target)


def _check_terminal() -> None:
    hint = 'codex-server new "your message" starts a turn from anywhere.'
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("chat needs a terminal", hint=hint)
    from prompt_toolkit.utils import is_dumb_terminal

    if is_dumb_terminal():
        raise UsageError("chat needs a terminal whose cursor can be moved, and TERM is dumb", hint=hint)


def _run_chat(settings: Settings, options: StartOptions, target: actions.ChatTarget) -> None:
    import asyncio

    from rich.console import Console

    from codex_server_cli.cli.chat.loop import Chat
    from codex_server_cli.cli.terminal.markdown import Painter

    sandbox = options.sandbox or Sandbox(read_config(settings.config_path).sandbox or Sandbox.READ_ONLY)
    options = actions.with_directory(settings, options._replace(sandbox=sandbox))
    chat_ = Chat(settings, options, target, Painter(Console(highlight=False, markup=False, emoji=False)))
    asyncio.run(chat_.run(options.prompt or None))
    _note_follow_up(chat_.chat_turn, chat_.target)


def _note_follow_up(running: actions.ChatTurn | None, target: actions.ChatTarget) -> None:
    """Print which turn continues, and the command that returns to the chat."""
    if running is not None:
        turn_id = running.directory.turn_id
        output.note(f"turn {turn_id} goes on: codex-server tail {turn_id} --follow")
        output.note(f"back to it: codex-server chat --turn {turn_id}")
    elif target.choice is not None:
        output.note(f"back to it: codex-server chat --thread {target.choice.thread_id}")
