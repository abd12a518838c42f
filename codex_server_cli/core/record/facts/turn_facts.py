"""The known facts of one turn. Owns them and what follows from them; `turn_record` sets them from messages."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.model.payer import Payer
from codex_server_cli.core.model.turn import Phase
from codex_server_cli.core.protocol.rpc import Message
from codex_server_cli.core.record.agent_messages import AgentMessages
from codex_server_cli.core.record.attach.attachment import Attachment
from codex_server_cli.core.record.changes import Changes
from codex_server_cli.core.record.codex_facts import CodexFacts
from codex_server_cli.core.record.foreign_turn import ForeignTurn
from codex_server_cli.core.record.refusals import Refusals
from codex_server_cli.core.record.usage import TurnUsage, Usage

_PHASE_OF_ITEM = {
    "commandExecution": Phase.RUNNING_COMMAND,
    "fileChange": Phase.EDITING,
    "agentMessage": Phase.ANSWERING,
}


class TurnFacts:
    """The facts of one turn.

    Attributes:
        thread_id, turn_id: Codex's ids, once known.
        active_turn_id: the id for an interrupt: a reviewer has its own.
        status: the wire's `turn.status` once terminal (`completed`, `interrupted`, `failed`), else None.
        error: the last `TurnError` of the wire that ends the turn; `retry` the last one of this response that does not.
        limits: the last known rate-limit snapshot, sparse updates merged; None if Codex sent none.
        open_items: items started and not completed, by id: the wire's item objects.
        completed_s: when the turn ended by Codex's clock, in Unix seconds, once reported.
        payer: who pays, once `payer_check` has decided it from Codex's replies; no message states it.
        asked: the terms that thread and turn were opened with (`model`, `effort`, `approvalPolicy`, `config`).
        settings: the last announced effective settings (`sandboxPolicy` …), without what we set for later turns.
        foreign: a turn of our thread that Codex started by itself while we had it. `changes`: by patches.
        refusals: actions that were not carried out. `session_path`: the thread's session file; empty if it has none.
        usage: tokens of only this turn; None if Codex sent none.
        attachment: which messages may be missing. `tokens`: the counter behind `usage`.
    """

    def __init__(self) -> None:
        self.thread_id: str | None = None
        self.turn_id: str | None = None
        self.active_turn_id: str | None = None
        self.has_started = self.is_idle = self.is_retrying = self.is_turn_requested = False
        self.status: str | None = None
        self.error: Message | None = None
        self.completed_s: int | None = None
        self.retry: Message | None = None
        self.limits: dict[str, Any] | None = None
        self.payer: Payer | None = None
        self.codex, self.foreign = CodexFacts(), ForeignTurn()
        self.asked: Message = {}
        self.settings: Message = {}
        self.refusals, self.session_path = Refusals(), ""
        self.open_items: dict[str, Message] = {}
        self.messages, self.changes = AgentMessages(), Changes()
        self.attachment, self.tokens = Attachment(), TurnUsage()
        self.usage: Usage | None = None

    @property
    def phase(self) -> Phase:
        """What the turn is doing, from its open items."""
        if self.status is not None:
            return Phase.FINISHING
        if not self.has_started:
            return Phase.STARTING
        if self.is_retrying:
            return Phase.RETRYING
        types = [item.get("type") for item in self.open_items.values()]
        return next((phase for type_, phase in _PHASE_OF_ITEM.items() if type_ in types), Phase.THINKING)

    @property
    def items_asked_about(self) -> dict[str, Message]:
        """The items that a request may refer to, by id: open ones, including sub-agents' patches."""
        return self.changes.open_items | self.open_items

    @property
    def answer(self) -> str | None:
        """The final answer, once it is complete."""
        return self.messages.answer

    @property
    def partial_answer(self) -> str | None:
        """The best known answer, complete or not."""
        return self.messages.partial_answer
