"""`server` of a turn's `meta.json`: which app-server the turn uses. Owns what follows from it without connecting.

It is None for a turn with its own app-server; else an object with `url`, `token_file`, `token_env`,
`is_insecure`, `path`, `pid` and `generation`. The token itself is never in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ELSEWHERE = ("ws://", "wss://", "ssh://")
_SPAWNED, _SHARED = "spawn", "shared"
_OURS = (_SPAWNED, _SHARED)


def url_of(record: Any) -> str:
    """The address, as `core.model.server.address` reads it."""
    url = record.get("url") if isinstance(record, Mapping) else None
    return url if isinstance(url, str) else _SPAWNED


def is_elsewhere(record: Any) -> bool:
    """Whether the turn's paths may be on another host, so that they cannot be inspected here."""
    return url_of(record).startswith(_ELSEWHERE)


def is_foreign(record: Any) -> bool:
    """Whether others started the app-server that the turn uses: it may have another login and other sessions."""
    return url_of(record) not in _OURS


def text_of(record: Any, name: str) -> str | None:
    """A member that is text; None if it is missing, or of another type."""
    value = record.get(name) if isinstance(record, Mapping) else None
    return value if isinstance(value, str) else None
