"""An app-server on a TCP port: checks its flags and token file before it starts, and makes that file."""

from __future__ import annotations

import os
from pathlib import Path

from codex_server_cli.codex.server.token import NewToken, check_listen_files, make_token
from codex_server_cli.core.model.server.listen import ListenFlags, absolute, listen_arguments
from codex_server_cli.errors import UsageError


def checked_arguments(flags: ListenFlags) -> list[str]:
    """The arguments of `codex app-server`; paths are relative to the current directory.

    Raises:
        UsageError: codex would not start with them.
        BadInputError: the token or secret cannot be used, or others could read or guess it.
    """
    cwd = os.getcwd()  # noqa: PTH109 — as the user knows it
    arguments = listen_arguments(flags, cwd)
    check_listen_files(flags, cwd)
    return arguments


def make_token_file(path: str) -> NewToken:
    """Make a file with a new token; never overwrites.

    Args:
        path: absolute, or relative to the current directory.

    Raises:
        UsageError: the path is empty.
        BadInputError: it exists.
        HomeError: it cannot be written.
    """
    if not path:
        raise UsageError("FILE is empty", hint="Like: codex-server server token ~/.codex-token")
    return make_token(Path(absolute(path, os.getcwd())))  # noqa: PTH109
