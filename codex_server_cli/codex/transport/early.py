"""An app-server that starts while the rest of its worker is loaded: both take 20 ms and more, and none needs the other.

A worker runs one turn, so it has one of these at most, from `begin` until `take`. Where it is never taken, it ends with
the turn's other processes: it carries the turn's mark.
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
    """Start it, as `AppServer` does. Where it cannot be started nothing happens: who needs it tries again, and reports.

    Args:
        codex: and the others: as of `AppServer`.
    """
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < FEWEST_FILES:
        return
    with contextlib.suppress(OSError):
        _begun.append(AppServer(codex, cwd, may_bill_api_key=may_bill_api_key, turn_id=turn_id, on_stderr=on_stderr))


def take() -> AppServer | None:
    """The app-server that was begun, once; else None."""
    return _begun.pop() if _begun else None
