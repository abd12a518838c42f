"""Keys of a terminal, from its bytes: characters, names of other keys, pastes. Owns the names.

Own code, because prompt_toolkit's parser, the only alternative, takes 0.1 s and 15 MB to import.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_ESCAPE = 0x1B
_SEQUENCE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|O[ -~])")
_BEGUN = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|O)")
_PASTE_BEGIN, _PASTE_END = b"\x1b[200~", b"\x1b[201~"
_NAMES = {
    **dict(zip((b"A", b"B", b"C", b"D", b"H", b"F"), ("up", "down", "right", "left", "home", "end"), strict=True)),
    **dict(zip((b"1~", b"7~", b"4~", b"8~"), ("home", "home", "end", "end"), strict=True)),
    **dict(zip((b"3~", b"5~", b"6~"), ("delete", "page_up", "page_down"), strict=True)),
}
_CONTROLS = {0x0A: "enter", 0x0D: "enter", 0x08: "backspace", 0x7F: "backspace", 0x09: "tab"}


class Pasted(NamedTuple):
    """A pasted text."""

    text: str


class KeyReader:
    """Parses bytes into keys, however the bytes are split."""

    def __init__(self) -> None:
        self._rest = b""
        self._is_pasting = self._is_flushed = False

    @property
    def may_be_escape(self) -> bool:
        """Whether the last byte is the Esc key, unless more bytes follow immediately."""
        return self._rest == b"\x1b" and not self._is_pasting

    def feed(self, data: bytes) -> list[str | Pasted]:
        """The complete keys: a character, or a name like `up`, `enter`, `ctrl-l`; unknown ones are dropped."""
        if self._is_flushed and _SEQUENCE.match(b"\x1b" + data):  # it was not Esc: the rest of a sequence came late
            data = b"\x1b" + data
        self._is_flushed = False
        self._rest += data
        found: list[str | Pasted] = []
        while self._rest:
            key = self._next()
            if key is None:
                break
            if key:
                found.append(key)
        return found

    def flush(self) -> list[str | Pasted]:
        """The Esc key, if nothing followed it; a longer incomplete sequence waits for its rest, which is not keys."""
        if not self.may_be_escape:
            return []
        self._rest, self._is_flushed = b"", True
        return ["escape"]

    def _next(self) -> str | Pasted | None:
        """Remove and return the next key; "" for one without a name, None if it is incomplete."""
        if self._is_pasting:
            return self._paste()
        if self._rest[0] == _ESCAPE:
            return self._sequence()
        size = _utf8_size(self._rest[0])
        if len(self._rest) < size:
            return None
        char, self._rest = self._rest[:size], self._rest[size:]
        if char[0] < 0x20 or char[0] == 0x7F:
            return _CONTROLS.get(char[0], f"ctrl-{chr(char[0] + 0x60)}")
        return char.decode("utf-8", "replace")[:1]

    def _sequence(self) -> str | None:
        if self._rest[1:2] not in (b"", b"[", b"O"):  # Esc, and a key after it; Alt chords are sent in the same way
            self._rest = self._rest[1:]
            return "escape"
        match = _SEQUENCE.match(self._rest)
        if match is None:
            return self._begun()
        self._rest = self._rest[match.end() :]
        self._is_pasting = match.group() == _PASTE_BEGIN
        return _NAMES.get(match.group()[2:], "")

    def _begun(self) -> str | None:
        """None if the rest of a sequence may still come; an aborted sequence is dropped."""
        begun = _BEGUN.match(self._rest)
        if begun is None or begun.end() == len(self._rest):
            return None
        self._rest = self._rest[begun.end() :]
        return ""

    def _paste(self) -> Pasted | None:
        text, end, rest = self._rest.partition(_PASTE_END)
        if not end:
            return None
        self._rest, self._is_pasting = rest, False
        return Pasted(text.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n"))


def _utf8_size(first: int) -> int:
    """The length of a character that begins with this byte; 1 if none does."""
    return next((size for size, lead in ((4, 0xF0), (3, 0xE0), (2, 0xC0)) if lead <= first < 0xF8), 1)
