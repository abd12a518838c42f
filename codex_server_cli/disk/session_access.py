"""Whether all of Codex's session files are readable: otherwise a thread that was not found may still exist."""

from __future__ import annotations

import os
from pathlib import Path

from codex_server_cli.core.history.session_file import thread_id_of


def refusal(codex_home: Path, prefix: str = "") -> PermissionError | None:
    """Why a thread may have been missed: a folder, or a session file with such an id, is not readable; else None."""
    folders = [os.fspath(codex_home / "sessions")]
    while folders:
        try:
            with os.scandir(folders.pop()) as found:
                entries = list(found)
            for entry in entries:
                thread_id = thread_id_of(entry.name)
                if thread_id is not None and thread_id.startswith(prefix.lower()):
                    os.close(os.open(entry.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
                elif entry.name.isdigit() and entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
        except PermissionError as error:
            return error
        except OSError:  # gone, or not a folder
            continue
    return None
