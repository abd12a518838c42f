"""Starting and interrupting turns in a chat: what quitting waits for, and what is said where one failed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from codex_server_cli.actions.control import control
from codex_server_cli.actions.conversation import ChatTurn
from codex_server_cli.cli.chat.tasks import Interrupting, TurnStart
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import BadInputError, HomeError

TURN = ChatTurn(TurnDir(Path("/turns/20261120-165501-482-7f3a")))


async def begun_and_dropped(turn_start: TurnStart, start: Callable[[], ChatTurn]) -> None:
    """Begin a start whose caller does not wait for it, as at the end of a chat."""
    with suppress(TimeoutError):
        await asyncio.wait_for(turn_start.begin(start), 0.05)


def test_quitting_learns_which_turn_was_being_started_unless_that_takes_too_long() -> None:
    may_go_on = threading.Event()

    def start() -> ChatTurn:
        may_go_on.wait(30)
        return TURN

    async def quit_meanwhile() -> list[ChatTurn | None]:
        turn_start = TurnStart()
        seen = [await turn_start.outcome()]
        await begun_and_dropped(turn_start, start)
        seen.append(await turn_start.outcome(0.0))
        assert turn_start
        may_go_on.set()
        seen.append(await turn_start.outcome())
        assert not turn_start
        return seen

    assert asyncio.run(quit_meanwhile()) == [None, None, TURN]


def test_quitting_is_told_why_the_turn_that_was_being_started_was_refused() -> None:
    may_go_on = threading.Event()

    def refuse() -> ChatTurn:
        may_go_on.wait(30)
        raise BadInputError("no")

    async def quit_meanwhile() -> None:
        turn_start = TurnStart()
        await begun_and_dropped(turn_start, refuse)
        may_go_on.set()
        with pytest.raises(BadInputError):
            await turn_start.outcome()

    asyncio.run(quit_meanwhile())


class Interruption:
    """An interruption of a turn, and all that the chat says of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, result: Sequence[TurnView] | Exception) -> None:
        self.said: list[object] = []
        self.calls = 0
        self._result = result
        monkeypatch.setattr(control, "cancel", self._cancel)

    def _cancel(self, directories: Sequence[TurnDir]) -> Sequence[TurnView]:
        assert list(directories) == [TURN.directory]
        self.calls += 1
        if isinstance(self._result, Exception):
            raise self._result
        return self._result

    def run(self) -> list[object]:
        async def interrupt_twice() -> None:
            interrupting = Interrupting(self.said.append, self.said.append, self.said.append)
            await interrupting.outcome()
            interrupting.begin(TURN)
            interrupting.begin(TURN)
            assert interrupting
            await interrupting.outcome()
            assert not interrupting

        asyncio.run(interrupt_twice())
        assert self.calls == 1
        return self.said


def test_a_turn_that_goes_on_though_it_was_interrupted_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    view = TurnView(TURN.directory.path.name, str(TURN.directory.path), State.RUNNING)
    assert Interruption(monkeypatch, [view]).run() == ["the turn could not be ended: its worker does not react"]
    assert Interruption(monkeypatch, [view._replace(state=State.CANCELLED)]).run() == []


@pytest.mark.parametrize("error", [HomeError("the disk is gone"), ZeroDivisionError("a defect")])
def test_an_interruption_that_fails_is_told(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    assert Interruption(monkeypatch, error).run() == [error]
