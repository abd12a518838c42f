"""Writing `config.json`: by `setup`, and by `remote enable` and `remote disable`. Owns every write of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from codex_server_cli.disk.files import write_json
from codex_server_cli.disk.lock import acquire
from codex_server_cli.errors import BusyError, HomeError
from codex_server_cli.settings.config import read_config_values
from codex_server_cli.settings.places import Settings

_LOCK = ".config.lock"
_LOCK_S = 5.0


def write_config(settings: Settings, **changes: Any) -> None:
    """Change only these keys of `config.json`. Nothing is written where they have these values already.

    Args:
        changes: by key; a key that is missing counts as False.

    Raises:
        BadInputError: the file is broken.
        HomeError: it cannot be written, and is unchanged.
        BusyError: another command is writing it.
    """
    path = settings.config_path
    lock_path = settings.home / _LOCK
    try:
        lock_fd = acquire(lock_path, _LOCK_S)
        if lock_fd is None:
            raise BusyError(f"another command writes {path} at this moment", hint="Run this again.")
        try:
            values = read_config_values(path)
            if any(values.get(name, False) != value for name, value in changes.items()):
                write_json(_link_target(path), values | changes)
        finally:
            lock_path.unlink(missing_ok=True)
            os.close(lock_fd)
    except OSError as error:
        raise HomeError(f"cannot write {path}: {error.strerror}") from error


def _link_target(path: Path) -> Path:
    """The target of a symbolic link (dotfiles), so that a write keeps the link. It has been read already."""
    return path.resolve() if path.is_file() else path
