"""A turn of our thread that Codex started by itself while we had it. Owns what is recorded about it."""

from __future__ import annotations

from codex_server_cli.core.protocol.rpc import Message, at, object_at


class ForeignTurn:
    """The last such turn.

    Attributes:
        turn_id: Codex's id of it; None if none has begun.
        message: its first message: the wire's `userMessage` item, once reported. Codex records the message about then;
            a turn that ends earlier leaves no trace of it, in 0.163.0 and 0.171.0.
    """

    def __init__(self) -> None:
        self.turn_id: str | None = None
        self.message: Message | None = None

    def note(self, method: str, params: Message) -> None:
        """Take a notification of our thread that is not about our turn."""
        turn_id, item = at(params, "turn.id", str), object_at(params, "item")
        if method == "turn/started" and turn_id is not None:
            self.turn_id, self.message = turn_id, None
        elif item.get("type") == "userMessage" and params.get("turnId") == self.turn_id:
            self.message = item
