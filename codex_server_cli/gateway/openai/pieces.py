"""Splits the items of a long history into messages. Owns the limits of one message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from codex_server_cli.gateway.upstream.weight import characters

_PIECE_ITEMS = 500
"""An app-server drops a connection with 32 768 unread messages, and all chats may inject at the same time."""
_PIECE_CHARACTERS = 4 * 1024 * 1024


def pieces_of(items: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """The items in non-empty lists, each small enough for one message (an empty one is refused)."""
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
