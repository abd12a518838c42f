"""The implementation of a chat's slash commands. Names and completion are in `command_names`."""

from __future__ import annotations

import difflib
import time
from collections.abc import Awaitable, Callable, Sequence

from codex_server_cli.actions import conversation as actions
from codex_server_cli.cli.chat.calls import off_loop
from codex_server_cli.cli.chat.command_names import COMMANDS, Command, help_text
from codex_server_cli.cli.chat.option_commands import OptionCommands
from codex_server_cli.cli.chat.state import ChatState
from codex_server_cli.cli.chat.status import status_facts
from codex_server_cli.cli.chat.thread_commands import ThreadCommands
from codex_server_cli.core.history.entries import ThreadEntry
from codex_server_cli.core.record.item_text import bounded
from codex_server_cli.errors import CodexServerError
from codex_server_cli.render.chat_blocks import Block, BlockKind
from codex_server_cli.render.limits import limits_text
from codex_server_cli.render.tables import short_path

_OTHER_NAMES = {"exit": "quit", "?": "help"}
_SAID = "userMessage"
_KINDS = {
    _SAID: BlockKind.SAID,
    "agentMessage": BlockKind.ANSWER,
    "commandExecution": BlockKind.COMMAND,
    "fileChange": BlockKind.EDIT,
    "plan": BlockKind.ANSWER,
    "error": BlockKind.ERROR,
}
_MARKS = {"commandExecution": "$ ", "fileChange": "± ", "error": "✗ "}


class SlashCommands:
    """The slash commands of one chat."""

    def __init__(self, chat_: ChatState) -> None:
        self._chat = chat_
        self._commands: dict[str, Callable[[str], Awaitable[None]]] = {
            **ThreadCommands(chat_).commands,
            **OptionCommands(chat_).commands,
            "decline": self._decline,
            "limits": self._limits,
            "status": self._status,
            "help": self._help,
            "quit": self._quit,
        }

    async def do(self, command: Command) -> None:
        """Run a command, or report that it does not exist."""
        name = _OTHER_NAMES.get(command.name, command.name)
        run = self._commands.get(name)
        if run is None:
            near = difflib.get_close_matches(name, COMMANDS, 1)
            self._chat.note(
                f"there is no command /{name}; {f'did you mean /{near[0]}?' if near else '/help lists them'}"
            )
            return
        try:
            await run(command.argument)
        except CodexServerError as error:
            self._chat.complain(error)

    def note_location(self) -> None:
        """Show the thread and directory of the conversation."""
        choice = self._chat.target.choice
        where = f"thread {choice.thread_id}" if choice is not None else "a new conversation"
        self._chat.note(f"{where} in {short_path(self._chat.cwd, str(self._chat.settings.user_home), 60)} · /help")

    def show_entries(self, entries: Sequence[ThreadEntry]) -> None:
        """Show the last entries of an earlier conversation; only the beginning and end of a long message."""
        shown = [
            each._replace(text=bounded(each.text).rstrip("\n")) if each.type == _SAID else each for each in entries
        ]
        blocks = [
            Block(_KINDS.get(each.type, BlockKind.NOTE), f"{_MARKS.get(each.type, '')}{each.text}") for each in shown
        ]
        self._chat.say(*blocks)

    async def _decline(self, reason: str) -> None:
        if self._chat.dialog is None or self._chat.dialog.entry is None:
            self._chat.note("nothing is asked")
        else:
            await self._chat.dialog.decline(reason)

    async def _limits(self, _argument: str) -> None:
        from codex_server_cli.actions.account import read_limits

        settings = self._chat.settings
        limits = await off_loop(lambda: read_limits(settings))
        self._chat.say(Block(BlockKind.NOTE, limits_text(limits, time.time()).rstrip("\n")))

    async def _status(self, _argument: str) -> None:
        settings, view, choice = self._chat.settings, self._chat.view, self._chat.target.choice
        if view is None and choice is not None:  # it was resumed, and nothing has been said yet
            view = await off_loop(lambda: actions.last_turn(settings, choice.thread_id))
        facts = status_facts(self._chat, view)
        pad = max(map(len, facts))
        self._chat.note("\n".join(f"{name.ljust(pad)}  {value}" for name, value in facts.items()))

    async def _help(self, _argument: str) -> None:
        self._chat.note(help_text())

    async def _quit(self, _argument: str) -> None:
        self._chat.quit()
