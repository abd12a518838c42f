"""Owns the paths and marks in the environment. Must never touch a file."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import NamedTuple

from codex_server_cli import TURN_VARIABLE
from codex_server_cli.settings.environment import NOTIFY_VARIABLE


class Settings(NamedTuple):
    """Paths and marks from the environment.

    Attributes:
        home: `$CODEX_SERVER_HOME`, default `~/.codex-server`.
        codex_home: `$CODEX_HOME`, default `~/.codex`; as in Codex, an empty value counts as unset.
        user_home: the user's home directory.
        search_path: `$PATH`.
        parent_turn: the turn that started this process, if any.
        is_codex_home_named: whether `$CODEX_HOME` is set.
        is_told: whether a notify command (`--notify`) started this process.
        is_home_given: whether the environment names `home`; else it is the default.
    """

    home: Path
    codex_home: Path
    user_home: Path
    search_path: str
    parent_turn: str | None
    is_told: bool = False
    is_home_given: bool = False
    is_codex_home_named: bool = True

    @property
    def turns_path(self) -> Path:
        """The folder of the turn directories."""
        return self.home / "turns"

    @property
    def config_path(self) -> Path:
        """Our configuration."""
        return self.home / "config.json"

    @classmethod
    def load(cls) -> Settings:
        """Read the environment; touches no file.

        Raises:
            BadInputError: neither HOME nor passwd names a home directory; or a relative path cannot be resolved.
        """
        user_home = _user_home()
        return cls(
            home=_directory("CODEX_SERVER_HOME", user_home / ".codex-server"),
            codex_home=_directory("CODEX_HOME", user_home / ".codex"),
            user_home=user_home,
            search_path=os.environ.get("PATH", os.defpath),
            parent_turn=os.environ.get(TURN_VARIABLE) or None,
            is_codex_home_named=bool(os.environ.get("CODEX_HOME")),
            is_told=bool(os.environ.get(NOTIFY_VARIABLE)),
            is_home_given=bool(os.environ.get("CODEX_SERVER_HOME")),
        )


def _user_home() -> Path:
    try:
        home = os.environ.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir  # Codex's rule too: HOME unset → passwd
    except KeyError as error:  # a user without a passwd entry, as in a container
        from codex_server_cli.errors import BadInputError

        raise BadInputError("this user has no home directory", hint="Set HOME.") from error
    return _absolute("HOME", home)


def _directory(variable: str, default: Path) -> Path:
    value = os.environ.get(variable)
    return _absolute(variable, value) if value else default


def _absolute(variable: str, value: str) -> Path:
    try:
        return Path(os.path.abspath(value))  # noqa: PTH100 — must not resolve links
    except OSError as error:  # only for a relative value
        from codex_server_cli.errors import BadInputError

        message = f"{variable} is a relative path, and the current directory is gone"
        raise BadInputError(message, hint=f"Set {variable} to an absolute path.") from error
