"""What Codex repeats of a message, and what waits to be sent."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from codex_server_cli.actions.control import approvals
from codex_server_cli.cli.chat.editor.pastes import Pastes
from codex_server_cli.cli.chat.messages import Messages
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.errors import BusyError

LOG = "".join(f"line {number}\n" for number in range(200))


class ShownMessages:
    """What a chat showed, and what it put into the editor."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.filled: list[str] = []
        self.screen = SimpleNamespace(fill=self.filled.append)
        self.chat_turn = SimpleNamespace(directory=None)
        self.note = self.notes.append


def test_a_message_that_codex_repeats_is_shown_as_it_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(approvals, "steer", lambda _directory, text: told.append(text))
    pastes, shown = Pastes(), ShownMessages()
    messages = Messages(cast("Any", shown), pastes)
    asyncio.run(messages.steer(f"see {pastes.fold(LOG)}", cast("Any", shown.chat_turn)))
    assert told == [f"see {LOG}"]
    assert messages.as_typed(told[0].rstrip("\n")) == "see [pasted 200 lines]"
    assert messages.as_typed("from another shell") == "from another shell"
    assert "… 181 more lines …" in messages.as_typed(LOG)
    messages.next_after(TurnView("id", "/", State.COMPLETE))
    assert "pasted" not in messages.as_typed(told[0])  # nothing is kept for longer than its turn


@pytest.mark.parametrize("state", [State.COMPLETE, State.CANCELLED])
def test_what_was_not_taken_is_next_or_in_the_editor_again(monkeypatch: pytest.MonkeyPatch, state: State) -> None:
    def refuse(_directory: object, _text: str) -> None:
        raise BusyError("not yet")

    monkeypatch.setattr(approvals, "steer", refuse)
    pastes, shown = Pastes(), ShownMessages()
    messages, line = Messages(cast("Any", shown), pastes), pastes.fold(LOG)
    asyncio.run(messages.steer(line, cast("Any", shown.chat_turn)))
    assert shown.notes == ["not yet; this is the next message: [pasted 200 lines]"]
    following = messages.next_after(TurnView("id", "/", state))
    assert (following, shown.filled) == ((line, []) if state is State.COMPLETE else (None, [line]))
    assert messages.next_after(TurnView("id", "/", state)) is None
