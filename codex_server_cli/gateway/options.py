"""What `serve` was started with, checked. Owns the form; `actions` and the verb own where the values come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

DEFAULT_LISTEN = "127.0.0.1:8787"
DEFAULT_STREAMS = 16


class ServeOptions(NamedTuple):
    """The flags of `serve`, with what config.json adds.

    Attributes:
        host, port: where it listens; None on a unix socket.
        path: the unix socket, absolute; None on a port.
        token: what a client has to send; None where none is wanted.
        allowed_origins: whose web pages may ask; `*` for all.
        allowed_hosts: further names by which it may be called; `*.example.org` for all below one.
        has_raw_rpc: whether the bridge lets every method through.
        cwd: the directory in which turns work that name none, absolute.
        may_write: whether turns may write that name no sandbox.
        most_streams: how many streams run at once.
        model_aliases: names of models of clients → ours.
        is_strict: whether parameters that have no effect are refused.
        instructions: whose system prompt stays: the client's alone, or Codex's before it.
    """

    host: str | None = "127.0.0.1"
    port: int | None = 8787
    path: str | None = None
    token: str | None = None
    allowed_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    has_raw_rpc: bool = False
    cwd: str = "/"
    may_write: bool = False
    most_streams: int = DEFAULT_STREAMS
    model_aliases: Mapping[str, str] = {}
    is_strict: bool = False
    instructions: Literal["client", "codex"] = "client"

    def __repr__(self) -> str:
        """Without the token: a traceback shows it."""
        return f"ServeOptions({self.host}:{self.port} {self.path}, has_token={self.token is not None})"
