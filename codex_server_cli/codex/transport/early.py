"""An app-server that starts while its worker imports the rest: both take 20 ms or more, independently of each other.

A worker runs one turn, so it has at most one of these, from `begin` until `take`. If it is never taken, it ends with
the turn's other processes: it has the turn's mark.
"""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Callable
from pathlib import Path

from codex_server_cli.codex.transport.base import FEWEST_FILES
from codex_server_cli.codex.transport.spawned import AppServer

_begun: list[AppServer] = []


def begin(
    codex: Path, cwd: str, *, may_bill_api_key: bool, turn_id: str, on_stderr: Callable[[bytes], None] | None
) -> None:
    """Start it, as `AppServer` does. A failure is ignored here: the worker tries again later, and reports.

    Args: as of `AppServer`.
    """
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < FEWEST_FILES:
        return
    with contextlib.suppress(OSError):
        _begun.append(AppServer(codex, cwd, may_bill_api_key=may_bill_api_key, turn_id=turn_id, on_stderr=on_stderr))


def take() -> AppServer | None:
    """The early app-server, at the first call; else None."""
    return _begun.pop() if _begun else None
