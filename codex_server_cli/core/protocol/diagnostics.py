"""What an app-server reports about itself: `server/diagnostics`. Owns the names of its gauges; must never do I/O."""

from __future__ import annotations

from typing import NamedTuple

from codex_server_cli.core.protocol.query import Query, initialize
from codex_server_cli.core.protocol.rpc import at, objects_in

_OURS = "app.requests.in_flight"
"""The gauge that counts our own request: it exists if gauges are reported."""


class Diagnostics(NamedTuple):
    """The state of an app-server; None for what it does not report.

    Attributes:
        memory_bytes: of its process, resident.
        threads: how many are loaded.
        active_turns: how many run.
    """

    memory_bytes: int | None
    threads: int | None
    active_turns: int | None


def ask_diagnostics(version: str) -> Query[Diagnostics | None]:
    """The state of an app-server; None if it refuses. Begins with the handshake.

    Args:
        version: ours.
    """
    yield from initialize(version)
    result = at((yield "server/diagnostics", {}), "result", dict)
    if result is None:
        return None
    gauges = {gauge.get("name"): at(gauge, "value", int) for gauge in objects_in(result.get("gauges"))}
    unset = 0 if _OURS in gauges else None  # a gauge is reported once it has counted something
    return Diagnostics(
        at(result, "process.residentMemoryBytes", int),
        gauges.get("core.threads.live", unset),
        gauges.get("core.turns.active", unset),
    )
