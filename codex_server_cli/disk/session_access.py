"""May we read all of Codex's session files? Where we may not, a thread that was not found may be there all the same."""

from __future__ import annotations

import os
from pathlib import Path

from codex_server_cli.core.history.session_file import thread_id_of


def refusal(codex_home: Path, prefix: str = "") -> PermissionError | None:
    """Why there may be more threads than were found: a folder, or a session file with such an id, is another user's."""
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
        except OSError:  # it is gone, or no folder
            continue
    return None
