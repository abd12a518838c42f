"""One turn as a chat shows it: the pieces of its text grouped into blocks, and the block that is still growing.

Owns which pieces make a block. The pieces are `Replay`'s, so that a chat shows the content of `out.txt`; the caller
styles blocks. Text is raw here: the caller neutralises it. Must never decide an end.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Any, NamedTuple

from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.protocol.rpc import Message, object_at, params_of, text_in
from codex_server_cli.core.record.pieces import Kind, Piece
from codex_server_cli.core.record.replay import Replay
from codex_server_cli.core.record.turn_record import TurnRecord
from codex_server_cli.core.session.queued_messages import NOT_PUT_BACK, put_back_words
from codex_server_cli.render.approvals import AskedRow, request_rows, request_text
from codex_server_cli.render.markdown import MarkdownBlocks
from codex_server_cli.render.status_line import short_count
from codex_server_cli.render.tables import duration
from codex_server_cli.render.turns.edits import edits_of

MAX_LIVE_CHARS = 4000


class BlockKind(Enum):
    """The kind of a block."""

    ANSWER = auto()  # Markdown
    SAID = auto()  # by the user, here or from any other shell
    COMMAND = auto()
    OUTPUT = auto()  # of the command right above
    EDIT = auto()
    THOUGHT = auto()
    PLAN = auto()
    ASKED = auto()  # a request that the user has to decide or to answer
    NOTE = auto()  # from codex-server
    WARNING = auto()
    REFUSED = auto()  # an action of Codex that was refused
    ERROR = auto()  # why the turn did not complete


class Block(NamedTuple):
    """A finished block: text without blank lines around it.

    Attributes:
        diffs: the lines that are patches.
        parts: the rows of a request, if it is one.
    """

    kind: BlockKind
    text: str
    diffs: tuple[range, ...] = ()
    parts: tuple[AskedRow, ...] = ()


_BLOCK_OF_PIECE = {
    Kind.SAID: BlockKind.SAID,
    Kind.COMMAND: BlockKind.COMMAND,
    Kind.OUTPUT: BlockKind.OUTPUT,
    Kind.CHANGE: BlockKind.EDIT,
    Kind.REASONING: BlockKind.THOUGHT,
    Kind.PLAN: BlockKind.PLAN,
    Kind.PROPOSAL: BlockKind.ANSWER,
    Kind.NOTICE: BlockKind.NOTE,
    Kind.WARNING: BlockKind.WARNING,
    Kind.REFUSAL: BlockKind.REFUSED,
    Kind.DECISION: BlockKind.NOTE,
}
"""Other pieces are part of the answer, or shown elsewhere: a request inline, an error with the end."""


class ChatBlocks:
    """Group the pieces of one turn into blocks. `feed` returns the blocks that an event finishes.

    Args:
        whole_diff: the command that shows the rest of a truncated patch.
    """

    def __init__(self, whole_diff: str = "/diff") -> None:
        self._whole_diff = whole_diff
        self._replay = Replay()
        self._answer = MarkdownBlocks()
        self._live = ""  # of a running command's output, or of reasoning
        self._item: Message = {}  # the last one that was completed

    @property
    def record(self) -> TurnRecord:
        """The known facts of the turn: phase, tokens, limits, settings."""
        return self._replay.record

    @property
    def live_text(self) -> str:
        """The text that is still growing, raw: the answer's open block, else reasoning or the output of a command."""
        return self._answer.open_text or self._live.strip("\n")

    def feed(self, event: Message) -> list[Block]:
        """Take one event of `events.jsonl`, of either direction."""
        own, pieces = self._replay.feed(event)
        for message in own:
            self._grow(message)
            if message["method"] == "item/completed":
                self._item = object_at(params_of(message), "item")
        return [block for piece in pieces for block in self._blocks_of(piece)]

    def end(self) -> list[Block]:
        """The turn is over: finish the open block."""
        self._live = ""
        blocks = [block for piece in self._replay.adopt_early() for block in self._blocks_of(piece)]
        return [*blocks, *_answers(self._answer.end())]

    def _grow(self, message: Message) -> None:
        """Update the live text of a command or of reasoning."""
        method, params = message["method"], params_of(message)
        if method in _GROWING:
            self._live = (self._live + text_in(params.get("delta")))[-MAX_LIVE_CHARS:]
        elif method == "item/reasoning/summaryPartAdded":
            self._live += "\n" if self._live else ""
        elif method in ("item/started", "item/completed"):
            self._live = ""

    def _blocks_of(self, piece: Piece) -> list[Block]:
        match piece.kind:
            case Kind.ANSWER:
                return _answers(self._answer.feed(piece.text))
            case Kind.ANSWER_END:
                return [*_answers(self._answer.feed(piece.text)), *_answers(self._answer.end())]
            case Kind.RESTART:
                return [*_answers(self._answer.end()), Block(BlockKind.NOTE, piece.text.strip("\n"))]
        kind = _BLOCK_OF_PIECE.get(piece.kind)
        if kind is BlockKind.EDIT and self._item.get("type") == "fileChange":
            cwd = text_in(self.record.settings.get("cwd"))
            return [*_answers(self._answer.flush()), edit_block(self._item, cwd, self._whole_diff)]
        return [] if kind is None else [*_answers(self._answer.flush()), Block(kind, _block_text(piece))]


_GROWING = ("item/commandExecution/outputDelta", "item/reasoning/summaryTextDelta")


def edit_block(item: Message, cwd: str, whole_diff: str) -> Block:
    """What a `fileChange` item changed: a line for each file and the beginning of its patch, if it was applied."""
    lines: list[str] = []
    diffs: list[range] = []
    for edit in edits_of(item, cwd):
        lines.append(edit.head)
        if not edit.patch:
            continue
        patch = edit.patch.split("\n")
        diffs.append(range(len(lines), len(lines) + len(patch)))
        lines += patch
        if rest := edit.rest(whole_diff):
            lines.append(rest)
    return Block(BlockKind.EDIT, "\n".join(lines), tuple(diffs))


def diff_block(diff: str) -> Block:
    """A unified diff, whole."""
    text = diff.rstrip("\n")
    return Block(BlockKind.EDIT, text, (range(text.count("\n") + 1),))


def asked_block(entry: dict[str, Any]) -> Block | None:
    """An approval's request, whole; None for one that has no text besides its questions."""
    parts = tuple(request_rows(entry))
    return Block(BlockKind.ASKED, request_text(entry), parts=parts) if parts else None


def _block_text(piece: Piece) -> str:
    """The text without its separators and marks in `out.txt`."""
    text = piece.text.strip("\n")
    if piece.kind is Kind.SAID:
        return "\n".join(line.removeprefix("> ") for line in text.split("\n"))
    is_bracketed = piece.kind in (Kind.DECISION, Kind.WARNING) and text.startswith("[")
    return text[1:-1] if is_bracketed else text


def _answers(texts: list[str]) -> list[Block]:
    return [Block(BlockKind.ANSWER, text) for text in texts]


def end_blocks(view: TurnView) -> list[Block]:
    """The blocks to show once a turn is over: the state of its thread's queue in Codex, and how it ended."""
    count = view.meta.get("put_back")
    if not isinstance(count, int):
        return [end_block(view)]
    words = put_back_words(count) if count else f"{NOT_PUT_BACK}: `codex-server recover {view.turn_id}` tries again"
    return [Block(BlockKind.WARNING, f"! {words}"), end_block(view)]


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
