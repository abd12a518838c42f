"""One turn as a conversation shows it: its events folded into blocks that are finished, and what is still growing.

Owns the order of blocks and their kinds. The words are `core/transcript`'s, so that a chat shows what `out.txt` holds;
how a block looks is the face's. Text is raw here: a face neutralises it. Must never judge an end.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple

from codex_server_cli.core.pending import PendingRequest, outcome_of_reply, read_request
from codex_server_cli.core.record import TurnRecord
from codex_server_cli.core.rpc import Message, MessageType, message_type, objects_in, params_of, text_in
from codex_server_cli.core.transcript import RESTARTED, Transcript
from codex_server_cli.core.turn import State
from codex_server_cli.core.view import TurnView
from codex_server_cli.render.markdown import MarkdownBlocks
from codex_server_cli.render.status_line import short_count
from codex_server_cli.render.tables import duration

MAX_LIVE_CHARS = 4000


class BlockKind(Enum):
    """What a block is."""

    ANSWER = auto()  # Markdown
    SAID = auto()  # by the user, here or from any other shell
    COMMAND = auto()
    OUTPUT = auto()  # of the command right above
    EDIT = auto()
    THOUGHT = auto()
    PLAN = auto()
    ASKED = auto()  # what a person has to decide or to answer
    NOTE = auto()  # a word of ours
    WARNING = auto()
    ERROR = auto()  # why the turn did not complete


class Block(NamedTuple):
    """Something that is said and done: text without blank lines around it."""

    kind: BlockKind
    text: str


_KIND_OF_ITEM = {
    "commandExecution": BlockKind.COMMAND,
    "fileChange": BlockKind.EDIT,
    "reasoning": BlockKind.THOUGHT,
    "plan": BlockKind.ANSWER,
}
_KIND_OF_METHOD = {
    "turn/plan/updated": BlockKind.PLAN,
    "error": BlockKind.NOTE,  # a retry
    "warning": BlockKind.WARNING,
    "guardianWarning": BlockKind.WARNING,
    "model/rerouted": BlockKind.WARNING,
}


class Conversation:
    """Fold the events of one turn, both directions. `feed` returns the blocks that an event finishes.

    Attributes:
        record: what is known of the turn: phase, tokens, limits, settings.
    """

    def __init__(self) -> None:
        self.record = TurnRecord()
        self._transcript = Transcript()
        self._answer = MarkdownBlocks()
        self._live = ""  # of a running command's output, or of a thought
        self._asked: dict[str | int, PendingRequest] = {}  # requests without a reply

    @property
    def live_text(self) -> str:
        """What is still growing, raw: the answer's open block, else a thought or the output of a command."""
        return self._answer.open_text or self._live.strip("\n")

    def feed(self, event: Message) -> list[Block]:
        """Fold one event of `events.jsonl`."""
        if event["dir"] == "out":
            return self._on_ours(event)
        if message_type(event) is MessageType.REQUEST:
            request = read_request(event, self.record.items_asked_about, 0, 0)
            if request is not None:
                self._asked[request.wire_id] = request
        return self._show(self.record.feed_in(event))

    def end(self) -> list[Block]:
        """The turn is over: what was still growing is all there will be of it."""
        self._live = ""
        return [*self._show(self.record.settle()), *_answers(self._answer.end())]

    def _on_ours(self, message: Message) -> list[Block]:
        if message.get("method") == "initialize":  # another app-server: no turn had begun on the one before
            self.record, self._asked = TurnRecord(), {}
        self.record.feed_out(message)
        request = self._asked.pop(message.get("id", ""), None) if "method" not in message else None
        if request is None:
            return []
        return [Block(BlockKind.NOTE, f"{request.waited_for}: {outcome_of_reply(message)}")]

    def _show(self, messages: list[Message]) -> list[Block]:
        return [block for message in messages for block in self._blocks_of(message)]

    def _blocks_of(self, message: Message) -> list[Block]:
        grow = _GROWING.get(message["method"])
        if grow is not None:
            grow(self, params_of(message))
            return []
        text = self._transcript.feed(message)
        if _is_answer(message):
            return self._stream(text, is_end=message["method"] == "item/completed")
        if message["method"] in ("item/started", "item/completed"):
            self._live = ""
        blocks = _block(message, text.strip("\n"))
        return [*_answers(self._answer.flush()), *blocks] if blocks else []

    def _stream(self, text: str, *, is_end: bool) -> list[Block]:
        before, restart, after = text.partition(RESTARTED)
        blocks = _answers(self._answer.feed(before))
        if restart:
            blocks += [*_answers(self._answer.end()), Block(BlockKind.NOTE, RESTARTED.strip())]
            blocks += _answers(self._answer.feed(after))
        return [*blocks, *_answers(self._answer.end())] if is_end else blocks

    def _grow(self, params: Message) -> None:
        self._live = (self._live + text_in(params.get("delta")))[-MAX_LIVE_CHARS:]

    def _grow_part(self, _params: Message) -> None:
        self._live += "\n" if self._live else ""


_GROWING: dict[str, Callable[[Conversation, Message], None]] = {
    "item/commandExecution/outputDelta": Conversation._grow,
    "item/reasoning/summaryTextDelta": Conversation._grow,
    "item/reasoning/summaryPartAdded": Conversation._grow_part,
}


def _item_of(message: Message) -> Message:
    item = params_of(message).get("item")
    return item if isinstance(item, dict) else {}


def _is_answer(message: Message) -> bool:
    return message["method"] == "item/agentMessage/delta" or _item_of(message).get("type") == "agentMessage"


def _answers(texts: list[str]) -> list[Block]:
    return [Block(BlockKind.ANSWER, text) for text in texts]


def _block(message: Message, text: str) -> list[Block]:
    if not text or (message["method"] == "error" and not params_of(message).get("willRetry")):
        return []  # an error that ends the turn is told with its end
    item = _item_of(message)
    if item.get("type") == "userMessage":
        return [Block(BlockKind.SAID, _said(item))]
    kind = _KIND_OF_METHOD.get(message["method"])
    if kind is None:
        kind = _KIND_OF_ITEM.get(str(item.get("type")), BlockKind.NOTE)
    if kind is BlockKind.COMMAND and message["method"] == "item/completed" and not text.startswith("$ "):
        kind = BlockKind.OUTPUT
    return [Block(kind, text)]


def _said(item: Message) -> str:
    return "\n".join(text_in(part.get("text")) for part in objects_in(item.get("content")))


def end_block(view: TurnView) -> Block:
    """How a turn ended, in one block."""
    took = duration(view.elapsed_s)
    usage = view.result.get("usage")
    tokens = f"{short_count(usage['total_tokens'])} tokens" if usage else ""
    facts = " · ".join(fact for fact in (took, tokens, view.turn_id) if fact)
    if view.state is State.COMPLETE:
        return Block(BlockKind.NOTE, f"✓ {facts}")
    if view.state is State.CANCELLED:
        return Block(BlockKind.NOTE, f"■ interrupted · {facts}")
    error = view.error or {"kind": view.state, "message": "the turn's directory is gone"}
    hint = f"\n{error['hint']}" if error.get("hint") else ""
    resets = f"\nThe limit resets at {error['resets_at']}." if error.get("resets_at") else ""
    return Block(BlockKind.ERROR, f"✗ {error.get('kind')}: {error.get('message')}{hint}{resets}\n{facts}")
