"""How a shared app-server stands, as `server status` tells it. Pure values, made by `actions.server`."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class ServerState(StrEnum):
    """How a generation of the shared app-server stands."""

    READY = "ready"
    DRAINING = "draining"
    SILENT = "silent"
    """It runs, and does not answer."""


class LeftProcess(NamedTuple):
    """A process that a turn has left running."""

    pid: int
    command: str


class ServerReport(NamedTuple):
    """One generation of a shared app-server; None where something is not known.

    Attributes:
        state: see `ServerState`.
        key: the name of what tells this server from others.
        generation: its number.
        url: where it listens.
        pid, keeper_pid: its process, and ours above it.
        codex, codex_version, codex_home: what it runs, and for which home.
        is_of_this_environment: whether a turn that is started here would use it, or its successor.
        started_at: RFC 3339.
        uptime_s: since then.
        memory_bytes: resident.
        threads: how many are loaded.
        active_turns: how many run, those of others included.
        clients: how many of ours hold it.
        turns: our turns that run there.
        leftovers: what turns have left running.
        log_path: what it and its keeper have said.
        is_healthy: what `/healthz` says; None for a server on a socket.
        problem: why `/readyz` does not say that it is ready.
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
