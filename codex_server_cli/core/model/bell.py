"""The bell of `--notify bell`: which terminal it rings. Owns its form in `meta.json`. Must never open a terminal.

It replaces the notify command there: a command's first word is always an absolute path, a bell's is `bell`.
"""

from __future__ import annotations

import shlex
from typing import NamedTuple

from codex_server_cli.core.model.request import BELL


class Bell(NamedTuple):
    """A terminal as it was when the turn was started.

    Attributes:
        path: of its device file.
        device: the device's number, and `owner` its user id: another terminal may get the path later.
    """

    path: str
    device: int
    owner: int

    @property
    def line(self) -> str:
        """Its form in `meta.json`."""
        return shlex.join([BELL, self.path, str(self.device), str(self.owner)])


def read_bell(words: list[str]) -> Bell | None:
    """The bell in a stored command line; None if that is a command."""
    if len(words) != 4 or words[0] != BELL or not all(number.isdecimal() for number in words[2:]):
        return None
    return Bell(words[1], int(words[2]), int(words[3]))
