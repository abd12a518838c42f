"""Durations as people write them: `90`, `45s`, `30m`, `12h`, `7d`."""

from __future__ import annotations

import re

from codex_server_cli.errors import UsageError

_PATTERN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)")
_LONGEST_S = 3650 * 86400
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration_s(text: str) -> float:
    """Seconds of a duration.

    Raises:
        UsageError: it is none.
    """
    match = _PATTERN.fullmatch(text.strip())
    seconds = float(match.group(1)) * _SECONDS[match.group(2)] if match else -1.0
    if not 0 <= seconds <= _LONGEST_S:
        raise UsageError(f"not a duration: {text[:40]!r}", hint="Like 45s, 30m, 12h or 7d.")
    return seconds
