"""Queries: short exchanges outside of a turn. Owns what is requested and when to stop; must never do the I/O.

A query is a generator: it yields a request and is sent the whole reply, or a `Listen` and is sent the notification;
it returns its result. None of its requests loads, resumes or writes a thread.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple, TypeVar

from codex_server_cli.core.protocol.rpc import Message

T = TypeVar("T")
Ask = tuple[str, Message]
"""A method and its parameters."""


class Listen(NamedTuple):
    """Wait for the next notification of a method, which may have arrived already.

    Those before it are discarded. After `timeout_s` without it the query is sent `{}`; None waits as long as the whole
    query may.
    """

    method: str
    timeout_s: float | None = None


Query = Generator[Ask | Listen, Message, T]


def initialize(version: str) -> Query[str | None]:
    """The handshake; returns the app-server's user agent, None where it refused."""
    client = {"name": "codex_server", "title": "codex-server", "version": version}
    result = (yield "initialize", {"clientInfo": client}).get("result")
    return str(result.get("userAgent")) if isinstance(result, dict) else None
