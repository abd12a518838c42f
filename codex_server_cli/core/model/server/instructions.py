"""Which system prompt a chat over the gateway begins with. Imports nothing else: it is loaded at every start."""

from __future__ import annotations

from enum import StrEnum


class Instructions(StrEnum):
    """The values of `serve --instructions`."""

    CLIENT = "client"
    CODEX = "codex"
