"""When a worker tidies the home: at most once a day. Owns the stamp that says when one did last; imports nothing else.

Alone in its file, because every worker asks at its end and nearly none of them has to.
"""

from __future__ import annotations

import time
from pathlib import Path

STAMP = ".collected"
"""The file in the home whose modification time says when a worker collected last."""

DAY_S = 86400.0


def is_due(home: Path) -> bool:
    """Whether nobody collected within the last 24 hours. A stamp from the future tells of a clock that was wrong.

    Raises:
        OSError: the home cannot be read.
    """
    try:
        info = (home / STAMP).lstat()
    except FileNotFoundError:
        return True
    is_fresh = info.st_size > 0  # an empty one is just being made
    return not (is_fresh and 0 <= time.time() - info.st_mtime < DAY_S)
