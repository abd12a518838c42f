"""The state of a shared app-server, as `server status` reports it. Pure values, made by `actions.server`."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class ServerState(StrEnum):
    """The state of one generation of the shared app-server."""

    READY = "ready"
    DRAINING = "draining"
    SILENT = "silent"
    """It runs, but does not respond."""


class LeftProcess(NamedTuple):
    """A process that a turn has left running."""

    pid: int
    command: str


class ServerReport(NamedTuple):
    """One generation of a shared app-server; an unknown attribute is None.

    Attributes:
        state: see `ServerState`.
        key: identifies the server among others, for all its generations.
        generation: its number.
        url: where it listens.
        pid, keeper_pid: its process, and our parent process of it.
        codex, codex_version, codex_home: the executable that it runs, and for which home.
        is_of_this_environment: whether a turn that is started here would use it, or its successor.
        started_at: RFC 3339.
        uptime_s: since then.
        memory_bytes: resident.
        threads: how many are loaded.
        active_turns: how many run, including those of other clients.
        clients: how many of our clients use it.
        turns: our turns that run there.
        leftovers: processes that turns have left running.
        log_path: its log and its keeper's.
        is_healthy: the result of `/healthz`; None for a server on a socket.
        problem: why `/readyz` does not report it as ready.
    """

    state: ServerState
    key: str
    generation: int
    url: str
    pid: int
    keeper_pid: int
    codex: str
    codex_version: str
    codex_home: str
    is_of_this_environment: bool
    started_at: str
    uptime_s: float | None
    memory_bytes: int | None
    threads: int | None
    active_turns: int | None
    clients: int | None
    turns: tuple[str, ...]
    leftovers: tuple[LeftProcess, ...]
    log_path: str
    is_healthy: bool | None = None
    problem: str | None = None
