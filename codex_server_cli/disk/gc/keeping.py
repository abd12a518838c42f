"""Why a turn is kept whatever its age and size. Owns the reasons.

Must never know of an age or a bound, nor whether a turn has ended: `collect` asks only about ended turns.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codex_server_cli.disk.turn.layout import SNAPSHOT, TurnDir

_FOLDERS = {"inbox", "images", SNAPSHOT}

RUNNING = "running"
"""Its worker, or a repairer, holds its lock."""
UNREADABLE = "not readable: another user's"
STRANGE = "strange (another id in its record, or foreign files)"
QUEUED = "has messages to put back"
STUCK = "stuck (no lock file, or it cannot be moved)"
NAMED = "named"
"""Not for ever: named turns are deleted, too, after a longer time."""


def reason_to_keep(turn: TurnDir, meta: Mapping[str, Any]) -> str | None:
    """Why an ended turn must not be deleted, as text to follow its id; None where it may be.

    Args:
        meta: its `meta.json`.
    """
    if meta.get("turn_id") != turn.turn_id or not is_as_we_made_it(turn.path):
        return STRANGE
    if os.path.lexists(turn.queued):  # these messages exist nowhere else until they have been put back
        return QUEUED
    return None


def is_as_we_made_it(path: Path) -> bool:
    """Whether it is a directory of ours with only files, inbox, pictures and snapshot: no link, no other folder."""
    try:
        info = path.lstat()
        with os.scandir(path) as entries:
            folders = {entry.name for entry in entries if entry.is_dir(follow_symlinks=False)}
    except OSError:  # another user's, or gone meanwhile
        return False
    return stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid() and folders <= _FOLDERS
