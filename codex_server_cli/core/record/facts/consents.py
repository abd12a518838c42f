"""Whether something of a turn was allowed to leave its sandbox. Owns which requests ask for it, and what grants it.

On a shared app-server another client may grant it, without our knowing: what is resolved without a reply of ours, or
while we had no connection, counts as granted.
"""

from __future__ import annotations

from codex_server_cli.core.protocol.rpc import Message, object_at

_ASKED_WITH = (
    "item/commandExecution/requestApproval",
    "item/permissions/requestApproval",
    "mcpServer/elicitation/request",  # also before the call of a tool
)
"""Not a patch's: what that writes is known from itself."""
_REFUSALS = (None, "decline", "cancel")


class Consents:
    """Takes Codex's requests and our replies.

    Attributes:
        is_any: whether a command, or a tool, was allowed what the sandbox forbids.
    """

    def __init__(self) -> None:
        self.is_any = False
        self._asked: set[object] = set()

    def ask(self, request: Message) -> None:
        """Take a request of Codex."""
        if request["method"] in _ASKED_WITH:
            self._asked.add(repr(request["id"]))

    def resolve(self, wire_id: object) -> None:
        """Codex no longer waits for the reply to one."""
        self.is_any = self.is_any or repr(wire_id) in self._asked

    def reply(self, reply: Message) -> None:
        """Take our reply to one."""
        result = object_at(reply, "result")
        decision = result.get("decision") or result.get("action")
        is_granted = bool(result.get("permissions")) or decision not in _REFUSALS
        self.is_any = self.is_any or (is_granted and repr(reply.get("id")) in self._asked)
        self._asked.discard(repr(reply.get("id")))
