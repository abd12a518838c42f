"""Makes turn ids. In a file of its own, because it is needed first and imports almost nothing."""

from __future__ import annotations

import re
import time

_SHAPE = re.compile(r"([0-9]{8}-[0-9]{6})-([0-9]{3})-[0-9a-f]{4}")
_LAST_MS = 253_402_300_799_000  # end of the year 9999: later times do not fit; an id at this limit was made by hand


def make_turn_id(now_ms: int, random_bits: int, newest: str | None = None) -> str:
    """A turn id that sorts by age, like `20261120-165501-482-7f3a`: after `newest`, whatever the clock says.

    Args:
        now_ms: Unix time in milliseconds.
        random_bits: any integer; its lowest 16 bits keep ids of one millisecond apart.
        newest: the id that was made last. If the clock is not past its time, the next millisecond is used: ids sort
            in the order of turns, also within a millisecond and after a clock was set back.
    """
    made_ms = time_ms(newest) if newest is not None else None
    if made_ms is not None and now_ms <= made_ms < _LAST_MS:
        now_ms = made_ms + 1
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now_ms // 1000))
    return f"{stamp}-{now_ms % 1000:03d}-{random_bits & 0xFFFF:04x}"


def time_ms(turn_id: str) -> int | None:
    """The time in an id; None for an invalid one."""
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
