"""The screen of a terminal as an SVG picture. Owns its colours and its frame. Never here: what the screen shows.

The fonts are the reader's own: nothing is fetched by who looks at the picture. Each run of text has its width written
beside it, so that columns stay columns in any of them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

_DARK = TerminalTheme(
    (24, 26, 31),
    (216, 219, 226),
    [
        (52, 56, 66),
        (224, 108, 117),
        (130, 195, 106),
        (229, 192, 100),
        (92, 160, 240),
        (200, 130, 225),
        (80, 190, 200),
        (200, 204, 212),
    ],
    [
        (110, 116, 130),
        (240, 130, 138),
        (160, 215, 136),
        (245, 212, 130),
        (125, 182, 250),
        (216, 156, 238),
        (110, 210, 220),
        (240, 242, 246),
    ],
)
_FRAME = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; \
font-size: {char_height}px; line-height: {line_height}px; white-space: pre; }}
.{unique_id}-title {{ font-family: system-ui, sans-serif; font-size: 18px; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def svg_of(screen: str, columns: int, title: str) -> str:
    """Draw a screen.

    Args:
        screen: its lines, with the escapes of their styles.
        columns: its width.
        title: shown in its frame; it is what makes the names inside unique, too, where several pictures share a page.
    """
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=columns, file=nowhere, force_terminal=True, color_system="truecolor")
        text = Text.from_ansi(screen.rstrip("\n"))
        text.no_wrap, text.overflow = True, "crop"
        console.print(text, soft_wrap=True)
    name = re.sub(r"\W+", "-", title)
    return console.export_svg(title=title, theme=_DARK, code_format=_FRAME, unique_id=name)
