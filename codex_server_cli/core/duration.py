"""Durations as users write them: `90`, `45s`, `30m`, `12h`, `7d`."""

from __future__ import annotations

import re

from codex_server_cli.errors import UsageError

_PATTERN = r"(\d+(?:\.\d+)?)\s*([smhd]?)"
_LONGEST_S = 3650 * 86400
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration_s(text: str, flag: str, *, needs_unit: bool = False) -> float:
    """Parse a duration into seconds.

    Args:
        flag: the option that it was given to.
        needs_unit: whether a bare number is refused, because users would not expect seconds; 0 needs no unit.

    Raises:
        UsageError: it is not a duration.
    """
    match = re.fullmatch(_PATTERN, text.strip())
    seconds = float(match.group(1)) * _SECONDS[match.group(2)] if match else -1.0
    lacks_unit = needs_unit and seconds > 0 and match is not None and not match.group(2)
    if not 0 <= seconds <= _LONGEST_S or lacks_unit:
        what = "a number with its unit" if lacks_unit else "a duration"
        raise UsageError(f"{flag} takes {what}, not {text[:40]!r}", hint="Like 45s, 30m, 12h or 7d.")
    return seconds


def since_ms(text: str, flag: str, now_ms: int) -> int:
    """Unix milliseconds of the moment this duration before `now_ms`; the duration needs a unit, like `7d`.

    Raises:
        UsageError: as `parse_duration_s`.
    """
    return now_ms - int(parse_duration_s(text, flag, needs_unit=True) * 1000)
