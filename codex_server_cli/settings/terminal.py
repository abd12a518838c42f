"""What the environment says about the terminal. Whether there is one at all is for the faces to see."""

from __future__ import annotations

import os


def can_redraw() -> bool:
    """Whether the terminal obeys control sequences: TERM names one that does."""
    return os.environ.get("TERM", "dumb") not in ("", "dumb")


def has_color() -> bool:
    """Whether colours are welcome: https://no-color.org."""
    return not os.environ.get("NO_COLOR")
