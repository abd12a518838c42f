"""Queries: short exchanges outside of a turn. Owns what is requested and when to stop; must never do the I/O.

A query is a generator: it yields a request and is sent the whole reply, or a `Listen` and is sent the notification;
it returns its result. Only the queries of `core.session` resume or write a thread.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from typing import NamedTuple, TypeVar

from codex_server_cli.core.protocol.rpc import Message

T = TypeVar("T")
Ask = tuple[str, Message]
"""A method and its parameters."""


class Listen(NamedTuple):
    """Wait for the next notification of a method, which may have arrived already.

    Notifications before it are discarded. After `timeout_s` without it the query is sent `{}`; None waits for the
    timeout of the whole query.
    """

    method: str
    timeout_s: float | None = None


Query = Generator[Ask | Listen, Message, T]


def initialize(version: str) -> Query[str | None]:
    """The handshake; returns the app-server's user agent, None if it refused.

    Always with `experimentalApi`: many queries need it, even the one for the state of the server.
    """
    result = (yield "initialize", initialize_params(version)).get("result")
    return str(result.get("userAgent")) if isinstance(result, dict) else None


def initialize_params(version: str, opted_out: Sequence[str] = ()) -> Message:
    """The parameters of `initialize`.

    Args:
        version: ours.
        opted_out: the methods of unwanted notifications.
    """
    client = {"name": "codex_server", "title": "codex-server", "version": version}
    unwanted = {"optOutNotificationMethods": [*opted_out]} if opted_out else {}
    return {"clientInfo": client, "capabilities": {"experimentalApi": True, **unwanted}}


def version_of(user_agent: str) -> str | None:
    """The version in an app-server's user agent; None if it has none.

    The name before the `/` is that of the server's first client, which need not be us (transport notes, section 3.3).
    """
    found = re.match(r"[^/]*/(\S+)", user_agent)
    return found and found[1]
