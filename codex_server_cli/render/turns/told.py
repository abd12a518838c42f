"""A turn's text in blocks, as `tail`, `wait` and `-f` show it on a terminal: exactly the content of `out.txt`.

Owns the differences from a chat, which shows requests and the end elsewhere; and which part is not shown again. Text is
raw here, as in `chat_blocks`.
"""

from __future__ import annotations

import json

from codex_server_cli.core.record.pieces import Kind, Piece
from codex_server_cli.core.result.commands import of_turn
from codex_server_cli.render.chat_blocks import Block, BlockKind, ChatBlocks
from codex_server_cli.render.markdown import MarkdownBlocks

_OF_ITS_OWN = {Kind.REQUEST: BlockKind.WARNING, Kind.ERROR: BlockKind.ERROR}
"""Pieces that a chat shows elsewhere."""


class ToldBlocks(ChatBlocks):
    """Group the pieces of one turn into blocks; see `ChatBlocks`.

    Args:
        turn_id: of the turn.
        skipped: how many characters at the beginning of the text are not shown.
        is_end_told: whether the caller reports why the turn failed, so that the error is not shown here.
    """

    def __init__(self, turn_id: str, skipped: int = 0, *, is_end_told: bool = False) -> None:
        super().__init__(of_turn("diff", turn_id))
        self._skipped = skipped
        self._is_end_told = is_end_told
        self._text: list[str] = []

    def rest(self, out: str) -> list[Block]:
        """What `out.txt` has after the text of the events: the total of changes, or what a recovery has added.

        All of it if there are no events; nothing if the text differs, as an older version may have written it.
        """
        text = "".join(self._text)
        added = out[len(text) + self._skipped :] if out.startswith(text) else ""
        return [_rest_block(part) for part in added.split("\n\n") if part.strip()]

    def _blocks_of(self, piece: Piece) -> list[Block]:
        self._text.append(piece.text)
        cut, self._skipped = self._skipped, max(self._skipped - len(piece.text), 0)
        if cut and not piece.text[cut:].strip():
            return []
        kind = _OF_ITS_OWN.get(piece.kind)
        if kind is None:
            return [_readable(block) for block in super()._blocks_of(piece._replace(text=piece.text[cut:]))]
        answers = [Block(BlockKind.ANSWER, text) for text in self._answer.flush()]
        is_told = self._is_end_told and kind is BlockKind.ERROR
        return answers if is_told else [*answers, Block(kind, _unbracketed(piece.text[cut:].strip("\n")))]


def answer_blocks(text: str) -> list[Block]:
    """A whole answer in blocks."""
    blocks = MarkdownBlocks()
    return [_readable(Block(BlockKind.ANSWER, part)) for part in [*blocks.feed(text), *blocks.end()]]


def _readable(block: Block) -> Block:
    """The block; JSON (the answer of a turn with a schema) as code, because Markdown would interpret its characters."""
    if block.kind is not BlockKind.ANSWER or not block.text.lstrip().startswith(("{", "[")):
        return block
    try:
        json.loads(block.text)
    except ValueError:  # it only begins like JSON
        return block
    return block._replace(text=f"```json\n{block.text}\n```")


def _unbracketed(text: str) -> str:
    """A request's line with `!` instead of the brackets that mark our own lines in `out.txt`."""
    return f"! {text[1:-1]}" if text.startswith("[") and text.endswith("]") else text


def _rest_block(text: str) -> Block:
    text = text.strip("\n")
    kinds = {"±": BlockKind.EDIT, "[": BlockKind.NOTE}
    return _readable(Block(kinds.get(text[0], BlockKind.ANSWER), text))
