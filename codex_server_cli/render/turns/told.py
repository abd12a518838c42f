"""A turn's text in blocks, as `tail`, `wait` and `-f` show it at a terminal: all that `out.txt` has, and nothing else.

Owns how that differs from a chat, where requests and the end have their own place; and what of it is not to be shown
again. Text is raw here, as in `chat_blocks`.
"""

from __future__ import annotations

import json

from codex_server_cli.core.record.pieces import Kind, Piece
from codex_server_cli.core.result.commands import of_turn
from codex_server_cli.render.chat_blocks import Block, BlockKind, ChatBlocks
from codex_server_cli.render.markdown import MarkdownBlocks

_OF_ITS_OWN = {Kind.REQUEST: BlockKind.WARNING, Kind.ERROR: BlockKind.ERROR}
"""What a chat shows elsewhere."""


class ToldBlocks(ChatBlocks):
    """Group the pieces of one turn into blocks; see `ChatBlocks`.

    Args:
        turn_id: of the turn.
        skipped: how many characters of the text, from its beginning, are not shown.
        is_end_told: whether the caller tells why the turn failed, so that its text need not.
    """

    def __init__(self, turn_id: str, skipped: int = 0, *, is_end_told: bool = False) -> None:
        super().__init__(of_turn("diff", turn_id))
        self._skipped = skipped
        self._is_end_told = is_end_told
        self._text: list[str] = []

    def rest(self, out: str) -> list[Block]:
        """What `out.txt` has behind the text of the events: what was changed in all, or what a recovery has added.

        All of it where there are no events; nothing where it is another text, as an older version may have written it.
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
    """The block; JSON, as a turn with a schema answers, as code: Markdown would take its marks for its own."""
    if block.kind is not BlockKind.ANSWER or not block.text.lstrip().startswith(("{", "[")):
        return block
    try:
        json.loads(block.text)
    except ValueError:  # of a text that only begins so
        return block
    return block._replace(text=f"```json\n{block.text}\n```")


def _unbracketed(text: str) -> str:
    """A request's line with the mark of what waits, in place of the brackets that `out.txt` tells our words by."""
    return f"! {text[1:-1]}" if text.startswith("[") and text.endswith("]") else text


def _rest_block(text: str) -> Block:
    text = text.strip("\n")
    kinds = {"±": BlockKind.EDIT, "[": BlockKind.NOTE}
    return _readable(Block(kinds.get(text[0], BlockKind.ANSWER), text))
