"""The warning that a turn will end with the place that it was started in: a unit of systemd, a login, a CI job.

Owns the stamps in the home by which each kind of it is given once. Imported only where such a place is likely.
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
    """What would end a worker that is started here; None where nothing is known to."""
    return surroundings.find_ending(job_variables(), settings.user_home)


def warn_once(settings: Settings, looked: Path) -> str | None:
    """The warning, where there is something to warn of and this home was not warned of its kind before.

    Args:
        looked: the stamp of a look that found nothing.
    """
    try:
        found = find_ending(settings)
    except OSError:  # a file system that does not answer: the turn runs all the same
        return None
    if found is None or found is ENDING_OF_LOGOUT:
        with contextlib.suppress(OSError):  # the next one looks again
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
