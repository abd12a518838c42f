"""Whether one directory is within another, by their paths alone."""

from __future__ import annotations


def is_within(place: str, root: str) -> bool:
    """Whether a path is a directory or below it.

    Args:
        place, root: absolute, links resolved.
    """
    return f"{place}/".startswith(f"{root.rstrip('/')}/")
