"""Starting and interrupting a chat's turns: slow calls that survive the cancellation of their caller.

Owns the calls in progress. Must never show anything itself, except that an interruption failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from codex_server_cli.actions.control import control
from codex_server_cli.actions.conversation import ChatTurn
from codex_server_cli.cli.chat.calls import off_loop
from codex_server_cli.core.model.turn import State
from codex_server_cli.errors import BusyError, CodexServerError

LEAVE_S = 5.0
"""How long quitting waits at most for a turn that is being started."""


def hint_in_chat(error: CodexServerError) -> str | None:
    """The next step after an error, as a command of the chat rather than of a shell."""
    if not isinstance(error, BusyError) or "--fork" not in (error.hint or ""):
        return error.hint
    if error.occupied is None:
        return "/new begins another conversation; /resume comes back once it has ended."
    return f"/new begins another conversation; `codex resume {error.occupied}`, in a shell, lets Codex do what waits."


class TurnStart:
    """The one start that may be in progress.

    Attributes:
        is_unwanted: interrupt the turn once it has begun.
    """

    def __init__(self) -> None:
        self.is_unwanted = False
        self._task: asyncio.Task[ChatTurn] | None = None

    def __bool__(self) -> bool:
        return self._task is not None

    async def begin(self, call: Callable[[], ChatTurn]) -> ChatTurn:
        """Start a turn; if this call is cancelled meanwhile, `outcome` still returns its result.

        Raises:
            CodexServerError: it was refused.
        """
        self._task = task = asyncio.ensure_future(off_loop(call))
        await asyncio.wait({task})
        self._task = None
        return task.result()

    async def outcome(self, timeout_s: float = LEAVE_S) -> ChatTurn | None:
        """The result of a start in progress; None if there is none, or at the timeout.

        Raises:
            CodexServerError: it was refused.
        """
        if self._task is None:
            return None
        done, _ = await asyncio.wait({self._task}, timeout=timeout_s)
        if not done:
            return None
        task, self._task = self._task, None
        return task.result()


class Interrupting:
    """The one interruption that may be in progress.

    Args:
        note: shows a note.
        complain: shows an error.
        fail: ends the program with an internal error.
    """

    def __init__(
        self,
        note: Callable[[str], None],
        complain: Callable[[CodexServerError], None],
        fail: Callable[[Exception], None],
    ) -> None:
        self._note, self._complain, self._fail = note, complain, fail
        self._task: asyncio.Task[None] | None = None

    def __bool__(self) -> bool:
        return self._task is not None

    def begin(self, chat_turn: ChatTurn) -> None:
        """Interrupt a turn, unless an interruption is in progress."""
        if self._task is None:
            self._task = asyncio.ensure_future(self._cancel(chat_turn))

    async def outcome(self) -> None:
        """Wait for an interruption in progress: quitting must not drop it."""
        if self._task is not None:
            await self._task

    async def _cancel(self, chat_turn: ChatTurn) -> None:
        try:
            if any(
                view.state is State.RUNNING for view in await off_loop(lambda: control.cancel([chat_turn.directory]))
            ):
                self._note("the turn could not be ended: its worker does not react")
        except CodexServerError as error:
            self._complain(error)
        except Exception as error:
            self._fail(error)
        finally:
            self._task = None
