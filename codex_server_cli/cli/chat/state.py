"""The interface of a chat for its parts: what its commands and status line may read and do.

Owns no behaviour: `loop.Chat` implements it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from codex_server_cli.actions.conversation import ChatTarget, ChatTurn
from codex_server_cli.actions.start.options import StartOptions
from codex_server_cli.cli.chat.approvals import ApprovalDialog
from codex_server_cli.cli.chat.editor.screen import Screen
from codex_server_cli.cli.chat.tasks import Interrupting, TurnStart
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.errors import CodexServerError
from codex_server_cli.render.chat_blocks import Block, ChatBlocks
from codex_server_cli.settings.places import Settings


class ChatState(Protocol):
    """One chat.

    Attributes:
        options: of the next turn, without its prompt.
        target: the thread of the next turn.
        chat_turn: the running turn, if any; `dialog` holds its requests.
        chat_blocks: what has been shown of it.
        view: the last view of the newest turn.
        tokens: the sum of all ended turns.
        meta: of the newest turn that has reported it.
        limits: the account's limits, as last reported.
        cwd: the working directory of the next turn.
        turn_start, interrupting: calls in progress beside the loop; false if there is none.
    """

    settings: Settings
    options: StartOptions
    target: ChatTarget
    chat_turn: ChatTurn | None
    chat_blocks: ChatBlocks
    dialog: ApprovalDialog | None
    view: TurnView | None
    tokens: int
    meta: Mapping[str, Any]
    limits: Mapping[str, Any] | None
    turn_start: TurnStart
    interrupting: Interrupting
    screen: Screen

    @property
    def cwd(self) -> str:
        """See above."""

    def say(self, *blocks: Block) -> None:
        """Print blocks above the editor."""

    def say_new(self, blocks: list[Block]) -> None:
        """Print all blocks except warnings that were printed before."""

    def note(self, text: str) -> None:
        """Print a note."""

    def complain(self, error: CodexServerError) -> None:
        """Print an error and the next step."""

    async def switch_to(self, target: ChatTarget) -> None:
        """Switch to another thread: show its id and directory, and follow the turn that runs there."""

    async def begin_turn(self, call: Callable[[], ChatTurn]) -> bool:
        """Start a turn and follow it; returns whether it has begun; if not, the reason was shown."""

    def follow(self, chat_turn: ChatTurn) -> None:
        """Show a turn from its first event to its end."""

    def quit(self) -> None:
        """Quit; a running turn continues."""
