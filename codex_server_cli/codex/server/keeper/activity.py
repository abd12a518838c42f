"""Whether a turn is active on a shared app-server: a separate process, because the keeper is too small for a client."""

from __future__ import annotations

import os
import sys

from codex_server_cli import __version__
from codex_server_cli.codex.server.asking import ask
from codex_server_cli.core.protocol.diagnostics import ask_diagnostics
from codex_server_cli.errors import CodexServerError

_TIMEOUT_S = 5.0


def main() -> None:
    """Entry point: `SOCKET`, or `URL [TOKEN_FILE]`. Exits with 0 where no turn is active, else with 1."""
    try:
        found = ask(sys.argv[1], ask_diagnostics(__version__), _TIMEOUT_S, *sys.argv[2:])
    except CodexServerError:
        found = None
    os._exit(0 if found is not None and found.active_turns == 0 else 1)
