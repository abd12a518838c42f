"""When a worker collects old turns: at most once a day. Owns the stamp of the last collection.

Must never import more of this program: every worker checks at its end, and hardly any has to collect.
"""

from __future__ import annotations

import time
from pathlib import Path

STAMP = ".collected"
"""The file in the home whose modification time is that of the last collection."""

DAY_S = 86400.0


def is_due(home: Path) -> bool:
    """Whether the last collection is over 24 hours ago. A stamp from the future means that a clock was wrong.

    Raises:
        OSError: the home cannot be read.
    """
    try:
        info = (home / STAMP).lstat()
    except FileNotFoundError:
        return True
    is_fresh = info.st_size > 0  # an empty one is just being created
    return not (is_fresh and 0 <= time.time() - info.st_mtime < DAY_S)
