"""Items for `thread/inject_items` in messages that are none too large. Owns how large one may be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from codex_server_cli.gateway.upstream.weight import characters

_PIECE_ITEMS = 500
"""An app-server drops a connection on which 32 768 messages are unread, and all chats may be at it at once."""
_PIECE_CHARACTERS = 4 * 1024 * 1024


def pieces_of(items: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Items in lists that are none too large for one message, none of them empty: that is refused."""
    piece: list[Mapping[str, Any]] = []
    size = 0
    for item in items:
        more = characters(item)
        if piece and (len(piece) == _PIECE_ITEMS or size + more > _PIECE_CHARACTERS):
            yield piece
            piece, size = [], 0
        piece.append(item)
        size += more
    if piece:
        yield piece
