"""Whether an app-server reports that it takes no more turns: another program may have sent it a signal.

A second signal would end its turns. Workers ask, and so does the keeper, in a separate process: it must stay too small
for a client.
"""

from __future__ import annotations

import os
import sys

from codex_server_cli import __version__
from codex_server_cli.codex.server.asking import ask
from codex_server_cli.core.protocol.query import Query, initialize
from codex_server_cli.core.protocol.rpc import object_at
from codex_server_cli.core.result import failures
from codex_server_cli.errors import CodexServerError

_TIMEOUT_S = 5.0
_NO_THREAD = "00000000-0000-7000-8000-000000000000"


def is_draining(where: str, timeout_s: float, token_file: str | None = None) -> bool:
    """Whether it reports that it takes no more turns; False where it does not answer.

    Args:
        where, token_file: see `ask`.
        timeout_s: for the connection, and again for the answer.
    """
    try:
        return ask(where, _ask_to_steer(), timeout_s, token_file)
    except CodexServerError:
        return False


def main() -> None:
    """Entry point: `SOCKET`, or `URL [TOKEN_FILE]`. Exits with 0 where the server drains, else with 1."""
    os._exit(0 if is_draining(sys.argv[1], _TIMEOUT_S, *sys.argv[2:]) else 1)


def _ask_to_steer() -> Query[bool]:
    """Make a request that a draining server refuses at once, and that has no effect on any other."""
    yield from initialize(__version__)
    nothing = {"threadId": _NO_THREAD, "expectedTurnId": _NO_THREAD, "input": []}
    return failures.is_draining(object_at((yield "turn/steer", nothing), "error"))
