"""The warning that a turn will end together with the systemd unit, login or CI job that it was started in.

Owns the stamps in the home that limit each kind of warning to one. Imported only where such a place is likely.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from codex_server_cli.core.model.surroundings import ENDING_OF_LOGOUT, Ending
from codex_server_cli.disk.machine import surroundings
from codex_server_cli.disk.safe_open import open_regular
from codex_server_cli.settings.environment import job_variables
from codex_server_cli.settings.places import Settings

_WARNED = ".warned-"


def find_ending(settings: Settings) -> Ending | None:
    """What would end a worker that is started here; None where nothing is known that would."""
    return surroundings.find_ending(job_variables(), settings.user_home)


def warn_once(settings: Settings, looked: Path) -> str | None:
    """The warning, where there is one and its kind was not given in this home before.

    Args:
        looked: the stamp of a check that found nothing.
    """
    try:
        found = find_ending(settings)
    except OSError:  # a file system that does not answer: the turn runs all the same
        return None
    if found is None or found is ENDING_OF_LOGOUT:
        with contextlib.suppress(OSError):  # the next start checks again
            os.close(open_regular(looked, os.O_WRONLY | os.O_CREAT))
            os.utime(looked, follow_symlinks=False)
        return None
    try:
        os.close(open_regular(settings.home / f"{_WARNED}{found.kind}", os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return None
    except OSError:  # a full disk: better twice than never
        pass
    return f"this turn ends with {found.event}: {found.remedy}"
