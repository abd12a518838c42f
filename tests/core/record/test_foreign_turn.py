"""What is recorded of a turn that Codex started by itself."""

from __future__ import annotations

from codex_server_cli.core.protocol.rpc import Message
from codex_server_cli.core.record.foreign_turn import ForeignTurn


def item(turn_id: str, kind: str) -> Message:
    return {"turnId": turn_id, "item": {"type": kind, "id": turn_id}}


def test_the_message_is_the_one_that_the_last_such_turn_began_with() -> None:
    turn = ForeignTurn()
    turn.note("item/started", item("a", "userMessage"))  # before any has begun
    assert (turn.turn_id, turn.message) == (None, None)
    turn.note("turn/started", {"turn": {"id": "a"}})
    for params in (item("b", "userMessage"), item("a", "agentMessage"), {"turnId": "a"}):
        turn.note("item/completed", params)
        assert (turn.turn_id, turn.message) == ("a", None), params
    turn.note("item/completed", item("a", "userMessage"))
    assert turn.message == {"type": "userMessage", "id": "a"}


def test_a_later_turn_has_a_message_of_its_own() -> None:
    turn = ForeignTurn()
    turn.note("turn/started", {"turn": {"id": "a"}})
    turn.note("item/completed", item("a", "userMessage"))
    turn.note("turn/started", {"turn": {"id": "b"}})
    assert (turn.turn_id, turn.message) == ("b", None)
