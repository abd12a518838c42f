"""Owns what the environment says about the terminal. Must never check for one: `cli` does."""

from __future__ import annotations

import os


def can_redraw() -> bool:
    """Whether the terminal supports control sequences, by TERM."""
    return os.environ.get("TERM", "dumb") not in ("", "dumb")


def has_color() -> bool:
    """Whether colours are allowed: https://no-color.org."""
    return not os.environ.get("NO_COLOR")
