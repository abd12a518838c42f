"""Whether one directory lies in another, by their paths alone."""

from __future__ import annotations


def is_within(place: str, root: str) -> bool:
    """Whether a place is a directory or lies below it.

    Args:
        place, root: absolute, links resolved.
    """
    return f"{place}/".startswith(f"{root.rstrip('/')}/")
