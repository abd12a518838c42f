"""Short conversations that only ask. Owns what is asked and when enough is known; must never do the asking.

An inquiry is a generator: it yields a request and is sent the whole reply, or a `Listen` and is sent the notification;
it returns what it found out. Nothing that it asks loads, resumes or writes a thread.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple, TypeVar

from codex_server_cli.core.protocol.rpc import Message

T = TypeVar("T")
Ask = tuple[str, Message]
"""A method and its parameters."""


class Listen(NamedTuple):
    """The wish to hear the next notification of a method, be it that it came already.

    What came before it is forgotten. After `timeout_s` without it the inquiry is sent `{}`; None waits as long as the
    whole inquiry may.
    """

    method: str
    timeout_s: float | None = None


Query = Generator[Ask | Listen, Message, T]


def initialize(version: str) -> Query[str | None]:
    """Shake hands; the app-server's user agent, None where it refused."""
    client = {"name": "codex_server", "title": "codex-server", "version": version}
    result = (yield "initialize", {"clientInfo": client}).get("result")
    return str(result.get("userAgent")) if isinstance(result, dict) else None
