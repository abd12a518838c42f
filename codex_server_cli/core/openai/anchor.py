"""The anchor of a prompt cache: a session of Codex that never was, of which threads are forked that share its cache.

Codex names the cache of a thread (`prompt_cache_key`, and the header `session-id`) after the session that the thread
was forked from. An anchor is one line of such a session, with an id of ours; the model reads nothing of it.
Owns its id and its line. Never here: files, which request has which anchor (`conversation`).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

_VERSION, _VARIANT = 7, 0b10
_RANDOM_BITS = 74
_LOW_BITS = 62
_MS_BITS = 48


def anchor_id(key: str, *, seed: bytes, unix_ms: int) -> str:
    """The id of the anchor with a key: always the same for the same arguments, in the form of Codex's own (UUID 7).

    Args:
        seed: a secret, so that the ids of two gateways are never the same.
        unix_ms: milliseconds, for the part of the id that is a time.
    """
    digest = int.from_bytes(sha256(seed + key.encode()).digest()) % (1 << _RANDOM_BITS)
    high, low = divmod(digest, 1 << _LOW_BITS)
    ms = unix_ms % (1 << _MS_BITS)
    return str(UUID(int=(ms << 80) | (_VERSION << 76) | (high << 64) | (_VARIANT << _LOW_BITS) | low))


def anchor_line(anchor: str, *, cwd: str, version: str, unix_ms: int) -> str:
    """The whole session file of an anchor, as Codex 0.163.0 and 0.171.0 read it.

    `legacy` is the form that is read from any place; a session of the other form is looked up in Codex's home.
    """
    at = datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    meta = {"id": anchor, "session_id": anchor, "timestamp": at, "cwd": cwd, "originator": "codex_server"}
    payload = {**meta, "cli_version": version, "source": "vscode", "history_mode": "legacy"}
    return json.dumps({"timestamp": at, "type": "session_meta", "payload": payload}) + "\n"
