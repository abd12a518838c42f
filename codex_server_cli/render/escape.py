"""Making text safe to show. Owns which characters a terminal must never get from a model, a command or a file name.

Files keep the raw text; only output for a terminal passes through here. An escape sequence could move the cursor,
set the clipboard (OSC 52), fake a link (OSC 8) or hide a line behind a carriage return; other characters
reorder a line (bidirectional overrides), or are invisible.
"""

from __future__ import annotations

_KEPT = {"\n", "\t"}
_CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in _KEPT]
# Marks that reorder text (Trojan Source), and separators that some terminals treat as line ends.
_REORDERING = [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C)]
_SEPARATORS = ["\u2028", "\u2029"]
# Invisible characters: text hidden in them reaches a user who copies it, or a model. The joiners (U+200C, U+200D) and
# variation selectors are kept, because scripts and emoji need them. The tags are not: only flags like England's need
# them, which no terminal draws.
_INVISIBLE_RANGES = ((0x200B, 0x200B), (0x2060, 0x2064), (0x206A, 0x206F), (0xFFF9, 0xFFFB), (0xE0000, 0xE007F))
_INVISIBLE = [
    *"\u115f\u1160\u180e\u3164\ufeff\uffa0",
    *(chr(code) for first, last in _INVISIBLE_RANGES for code in range(first, last + 1)),
]


def _visible(char: str) -> str:
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)  # the control pictures: ␛ ␍ ␇
    if code == 0x7F:
        return "␡"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


_TABLE = str.maketrans({char: _visible(char) for char in (*_CONTROLS, *_REORDERING, *_SEPARATORS, *_INVISIBLE)})


def neutralise(text: str) -> str:
    """The text with every control character made visible; newlines and tabs are kept, `\\r\\n` becomes `\\n`."""
    return text.replace("\r\n", "\n").translate(_TABLE)


def one_line(text: str, width: int) -> str:
    """The text as one safe line of at most `width` characters, cut with an ellipsis."""
    line = neutralise(" ".join(text.split()))
    return line if len(line) <= width else line[: max(width - 1, 0)] + "…"
