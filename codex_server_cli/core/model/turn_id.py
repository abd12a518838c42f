"""Making a turn id. Alone in its file: it is needed before anything else, and imports next to nothing."""

from __future__ import annotations

import re
import time

_SHAPE = re.compile(r"([0-9]{8}-[0-9]{6})-([0-9]{3})-[0-9a-f]{4}")
_LAST_MS = 253_402_300_799_000  # the end of the year 9999: what follows it has no room in an id, and was made by hand


def make_turn_id(now_ms: int, random_bits: int, newest: str | None = None) -> str:
    """A turn id that sorts by age, like `20261120-165501-482-7f3a`: behind `newest`, whatever the clock says.

    Args:
        now_ms: Unix time in milliseconds.
        random_bits: any integer; its lowest 16 bits keep ids of one millisecond apart.
        newest: the id that was made last. Where the clock stands at its time or before, the time that follows it is
            taken: the order of ids is the order of turns, also within a millisecond and after a clock was set back.
    """
    made_ms = time_ms(newest) if newest is not None else None
    if made_ms is not None and now_ms <= made_ms < _LAST_MS:
        now_ms = made_ms + 1
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now_ms // 1000))
    return f"{stamp}-{now_ms % 1000:03d}-{random_bits & 0xFFFF:04x}"


def time_ms(turn_id: str) -> int | None:
    """The time that an id tells; None for what is none."""
    import calendar  # 4 ms with datetime; `strptime` would take 10

    match = _SHAPE.fullmatch(turn_id)
    if match is None:
        return None
    stamp, milliseconds = match.groups()
    date, clock = stamp.split("-")
    parts = (date[:4], date[4:6], date[6:], clock[:2], clock[2:4], clock[4:])
    try:
        return calendar.timegm((*map(int, parts), 0, 0, 0)) * 1000 + int(milliseconds)
    except ValueError:  # a 13th month: made by hand
        return None
