"""When the account's usage limit resets: from the records of the last turns, else from Codex.

Runs in a worker that is just starting, and as a separate process for a held turn (`limit_wait`), which reads its only
line of output. Owns which source counts; must never wait for the limit itself.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from codex_server_cli import __version__
from codex_server_cli.codex.client import run_query
from codex_server_cli.core.account.queries import ask_limits
from codex_server_cli.core.model.server.record import is_foreign
from codex_server_cli.core.protocol.query import Query, initialize
from codex_server_cli.core.record.rate_limits import Limits
from codex_server_cli.core.result.usage_limit import held_until_s
from codex_server_cli.disk.files import read_json
from codex_server_cli.disk.known_limit import last_known_limit, login_s
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import CodexServerError
from codex_server_cli.settings.places import Settings
from codex_server_cli.worker.live_file import write_queued
from codex_server_cli.worker.log import say

_TIMEOUT_S = 20.0


def main() -> None:
    """Print until when the turn has to wait, in Unix seconds, or 0, and record it in its `live.json`."""
    turn = TurnDir(Path(sys.argv[1]))
    meta = read_json(turn.meta) or {}
    known_s = None if is_foreign(meta.get("server")) else known_until_s(turn.path.parent)
    until_s = known_s or _asked_until_s(turn, meta) or 0.0
    write_queued(turn, time.time_ns() // 1_000_000, until_s)  # on behalf of the lock's holder, which waits for us
    print(until_s)


def known_until_s(turns_path: Path) -> float | None:
    """When the limit resets, from the record of the turn that ended last; None where that has no such time.

    Ignored after a later login, which may be another account.
    """
    try:
        known = last_known_limit(turns_path)
    except CodexServerError:  # the turns cannot be read any more: Codex is asked
        return None
    if known is None or known.until_s is None or known.until_s <= time.time():
        return None
    return known.until_s if login_s(Settings.load().codex_home) <= known.told_s else None


def _asked_until_s(turn: TurnDir, meta: dict[str, Any]) -> float | None:
    """The same as reported by the turn's app-server; None where no limit holds, or it cannot be asked."""
    try:
        if is_foreign(meta.get("server")):
            from codex_server_cli.worker.server.client import run_query_there

            limits = run_query_there(meta["server"], Settings.load(), _ask(), _TIMEOUT_S)
        else:
            limits = run_query(Path(str(meta.get("codex"))), turn.path, _ask(), _TIMEOUT_S)
    except CodexServerError as error:
        say(f"the usage limit is not known: {error.message}")
        return None
    until_s = held_until_s(limits[0]) if limits else None
    return until_s if until_s is not None and until_s > time.time() else None


def _ask() -> Query[list[Limits]]:
    yield from initialize(__version__)
    return (yield from ask_limits())
