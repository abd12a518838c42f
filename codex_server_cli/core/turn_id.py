"""Making a turn id. Alone in its file: it is needed before anything else, and imports nothing."""

from __future__ import annotations


def make_turn_id(utc_stamp: str, milliseconds: int, random_bits: int) -> str:
    """A turn id that sorts by age, like `20261120-165501-482-7f3a`.

    Args:
        utc_stamp: UTC time as `YYYYmmdd-HHMMSS`.
        milliseconds: 0 to 999.
        random_bits: any integer; its lowest 16 bits keep two ids of one millisecond apart.
    """
    return f"{utc_stamp}-{milliseconds:03d}-{random_bits & 0xFFFF:04x}"
