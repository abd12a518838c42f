"""Switches remote control on for a newly started shared app-server: a separate process for the keeper, which is too
small for a client."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from codex_server_cli import __version__
from codex_server_cli.codex.server.asking import ask
from codex_server_cli.core.account.remote import check_remote_login, enable
from codex_server_cli.core.protocol.query import Query, initialize
from codex_server_cli.errors import CodexServerError
from codex_server_cli.settings.config import read_config

_TIMEOUT_S = 10.0


def main() -> None:
    """Entry point: `SOCKET DIRECTORY`. Does nothing unless `config.json` asks for it; prints an error to the server's
    log."""
    socket_path, directory = sys.argv[1:]
    try:
        if read_config(Path(directory).parent.parent / "config.json").remote_control:
            ask(socket_path, _switch_on(), _TIMEOUT_S)
    except CodexServerError as error:
        sys.stderr.write(f"remote control is not on: {error.message}\n")
        sys.stderr.flush()
    os._exit(0)


def _switch_on() -> Query[None]:
    yield from initialize(__version__)
    yield from check_remote_login()
    yield from enable()
