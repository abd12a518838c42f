"""The user's messages in a chat: a message starts a turn, or steers the running one.

Owns the messages that wait to be sent, and that none is lost: a refused one goes back into the editor. Lines are as in
the editor: their pastes are folded until they are sent.
"""

from __future__ import annotations

from collections.abc import Callable

from codex_server_cli.actions import conversation as actions
from codex_server_cli.actions.control import approvals
from codex_server_cli.actions.conversation import ChatTurn
from codex_server_cli.cli.chat.calls import off_loop
from codex_server_cli.cli.chat.editor.pastes import Pastes
from codex_server_cli.cli.chat.state import ChatState
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.record.item_text import bounded
from codex_server_cli.errors import CodexServerError
from codex_server_cli.render.chat_blocks import Block, BlockKind

SHELL_NOTE = (
    "a line that begins with ! is not sent: commands run in a shell of yours, beside this chat; "
    "Codex runs them too: ask it. A message that begins with ! goes after a blank"
)


class Messages:
    """The messages of one chat.

    Args:
        pastes: the pastes that are folded in them.
    """

    def __init__(self, chat: ChatState, pastes: Pastes) -> None:
        self._chat, self._pastes = chat, pastes
        self._waiting: list[str] = []  # refused by `steer`
        self._told: dict[str, str] = {}  # accepted by it for the running turn: the unfolded text → as it was typed

    async def send(self, line: str) -> None:
        """Start the next turn; if it is refused, the line goes back into the editor."""
        chat = self._chat
        chat.say(Block(BlockKind.SAID, self._pastes.labelled(line)))
        options, target = chat.options._replace(prompt=self._pastes.expand(line)), chat.target
        is_begun = await self.begin(
            lambda: actions.begin(chat.settings, options, target.choice, is_fork=target.is_fork)
        )
        if not is_begun:
            chat.screen.fill(line)

    async def begin(self, call: Callable[[], ChatTurn]) -> bool:
        """Start a turn and follow it.

        Returns:
            Whether it has begun; if not, the reason was shown.
        """
        chat = self._chat
        chat.turn_start.is_unwanted = False
        chat.screen.refresh()
        try:
            chat_turn = await chat.turn_start.begin(call)
        except CodexServerError as error:
            chat.complain(error)
            return False
        finally:
            chat.screen.refresh()
        chat.say_new([Block(BlockKind.WARNING, f"! {warning}") for warning in chat_turn.warnings])
        chat.follow(chat_turn)
        if chat.turn_start.is_unwanted:
            chat.interrupting.begin(chat_turn)
        return True

    async def steer(self, line: str, chat_turn: ChatTurn) -> None:
        """Send a line to the running turn, or else the next one. It is shown when Codex reports it."""
        text = self._pastes.expand(line)
        self._told[text.strip("\n")] = self._pastes.labelled(line)
        try:
            await off_loop(lambda: approvals.steer(chat_turn.directory, text))
        except CodexServerError as error:
            if self._chat.chat_turn is None:
                await self.send(line)
            else:
                self._waiting.append(line)
                self._chat.note(f"{error.message}; this is the next message: {self._pastes.labelled(line)}")

    def as_typed(self, text: str) -> str:
        """A message reported by Codex: with its pastes folded if it is one of ours, else truncated if long."""
        return self._told.get(text.strip("\n")) or bounded(text).rstrip("\n")

    def next_after(self, view: TurnView) -> str | None:
        """The line to send after the end of a turn; it goes back into the editor if that is not complete."""
        waiting, self._waiting = "\n\n".join(self._waiting), []
        self._told.clear()  # an ended turn repeats nothing more
        if not waiting or view.state is State.COMPLETE:
            return waiting or None
        self._chat.screen.fill(waiting)
        self._chat.note("what waited to be sent is in the editor again")
        return None
