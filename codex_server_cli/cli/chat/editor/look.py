"""What the bottom of a chat's terminal shows, and its colours: the terminal's own sixteen."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from prompt_toolkit.styles import Style

STYLE = Style.from_dict(
    {
        "live": "ansibrightblack",
        "ask": "bold ansiyellow",
        "paste": "ansicyan",
        "prompt": "bold",
        "search-toolbar.prompt": "bold",
        "status": "ansibrightblack",
        "completion-menu": "",
        "completion-menu.completion": "",
        "completion-menu.completion.current": "reverse",
        "completion-menu.meta.completion": "ansibrightblack",
        "completion-menu.meta.completion.current": "ansibrightblack reverse",
    }
)


class Shown(NamedTuple):
    """What the bottom of the terminal shows now.

    Attributes:
        live: raw text that is still growing.
        asked: the hint what to type, or "".
        status: the status line for a number of columns.
        is_secret: whether typed text must not be displayed.
        can_interrupt: whether Esc has an effect.
    """

    live: str
    asked: str
    status: Callable[[int], str]
    is_secret: bool = False
    can_interrupt: bool = False
