"""The slash commands about the conversation itself: switch, fork, compact, and show its changes."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial

from codex_server_cli.actions import conversation as actions
from codex_server_cli.actions.conversation import ChatTarget, Resumable
from codex_server_cli.actions.read import read
from codex_server_cli.actions.read.changes import Changed, changes
from codex_server_cli.cli.chat.calls import off_loop
from codex_server_cli.cli.chat.state import ChatState
from codex_server_cli.core.model.turn import parse_time_ms
from codex_server_cli.render.chat_blocks import diff_block
from codex_server_cli.render.turns.conversations import ConversationRow, conversation_rows
from codex_server_cli.settings.places import Settings

_LISTED = 50
_NOTHING_YET = "there is no conversation yet"


class ThreadCommands:
    """The thread commands of one chat.

    Attributes:
        commands: by name; each takes its argument.
    """

    def __init__(self, chat: ChatState) -> None:
        self._chat = chat
        self.commands: dict[str, Callable[[str], Awaitable[None]]] = {
            "new": self._new,
            "resume": self._resume,
            "fork": self._fork,
            "compact": self._compact,
            "diff": self._diff,
        }

    def _is_busy(self) -> bool:
        if self._chat.chat_turn is not None:
            self._chat.note("a turn is running: wait for its end, or interrupt it with Ctrl-C")
        return self._chat.chat_turn is not None

    async def _new(self, _argument: str) -> None:
        if not self._is_busy():
            self._chat.tokens = 0
            await self._chat.switch_to(ChatTarget())

    async def _resume(self, selector: str) -> None:
        if self._is_busy():
            return
        selector = selector or await self._pick_thread() or ""
        if selector:
            settings, cwd = self._chat.settings, self._chat.options.cwd
            target = await off_loop(lambda: actions.target_of(settings, selector, cwd))
            self._chat.tokens = 0
            await self._chat.switch_to(target)

    async def _pick_thread(self) -> str | None:
        """The id of the thread that the user chooses from the newest ones of all directories."""
        settings, choice = self._chat.settings, self._chat.target.choice
        here = choice.thread_id if choice is not None else None
        found = await off_loop(lambda: actions.resumable(settings, _LISTED, here))
        if not found:
            self._chat.note("there is no other conversation")
            return None
        now_ms, home = time.time_ns() // 1_000_000, str(settings.user_home)
        rows = [_row(each) for each in found]
        shown = partial(conversation_rows, rows, now_ms, home)
        index = await self._chat.screen.picker.choose("go on with", shown)
        return None if index is None else found[index].thread.thread_id

    async def _fork(self, _argument: str) -> None:
        if self._is_busy():
            return
        if self._chat.target.choice is None:
            self._chat.note(_NOTHING_YET)
            return
        self._chat.target = self._chat.target._replace(is_fork=True)
        self._chat.note("the next message goes on from a copy; this conversation stays as it is")

    async def _compact(self, _argument: str) -> None:
        if self._is_busy():
            return
        choice, is_fork = self._chat.target.choice, self._chat.target.is_fork
        if choice is None:
            self._chat.note(_NOTHING_YET)
            return
        settings, options = self._chat.settings, self._chat.options
        await self._chat.begin_turn(lambda: actions.compact(settings, options, choice, is_fork=is_fork))

    async def _diff(self, _argument: str) -> None:
        """Show the changes of the newest turn of this conversation that has any."""
        settings, view, choice = self._chat.settings, self._chat.view, self._chat.target.choice
        thread_id = (view.thread_id if view is not None else None) or (choice.thread_id if choice is not None else None)
        found = await off_loop(lambda: _last_changes(settings, thread_id)) if thread_id is not None else None
        if found is None:
            self._chat.note("no turn of this conversation has changed a file")
        else:
            self._chat.note(f"by turn {found.view.turn_id}")
            self._chat.say(diff_block(found.diff))


def _row(found: Resumable) -> ConversationRow:
    thread = found.thread
    title = thread.first_prompt or ("" if found.name else thread.thread_id)
    return ConversationRow(title, found.name, parse_time_ms(thread.updated_at), thread.cwd, found.running)


def _last_changes(settings: Settings, thread_id: str) -> Changed | None:
    wanted = read.TurnFilter(thread_ids=frozenset([thread_id]))
    turns = read.list_turns(settings, _LISTED, wanted)
    return next((found for found in (changes(read.directory_of(view)) for view in turns) if found.diff), None)
