"""What the parts of a chat know of it: the facts that its commands and its status line read, and what they may do.

Owns no behaviour: `loop.Chat` is the one that has this shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from codex_server_cli.actions.conversation import ChatTarget, ChatTurn
from codex_server_cli.actions.start.options import StartOptions
from codex_server_cli.cli.chat.approvals import ApprovalDialog
from codex_server_cli.cli.chat.screen import Screen
from codex_server_cli.cli.chat.tasks import Interrupting, Starting
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.errors import CodexServerError
from codex_server_cli.render.chat_blocks import Block, ChatBlocks
from codex_server_cli.settings.places import Settings


class ChatState(Protocol):
    """One chat.

    Attributes:
        options: of the next turn, less its prompt.
        target: the thread that it goes on with.
        chat_turn: the one that runs, if any; what is asked in it is `dialog`'s.
        chat_blocks: what has been shown of it.
        view: the newest turn as it was last seen.
        tokens: of all turns that have ended.
        meta: of the newest turn that has told it.
        limits: of the account, as they were last told.
        starting, interrupting: what is under way beside the loop; false where nothing is.
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
    starting: Starting
    interrupting: Interrupting
    screen: Screen

    def say(self, *blocks: Block) -> None:
        """Let blocks scroll by."""

    def note(self, text: str) -> None:
        """Say something of our own."""

    def complain(self, error: CodexServerError) -> None:
        """Tell what cannot be done, and the next step."""

    async def switch_to(self, target: ChatTarget) -> None:
        """Go on with another thread: show where that is, and follow what runs there."""

    def quit(self) -> None:
        """Leave; a turn that runs goes on."""
