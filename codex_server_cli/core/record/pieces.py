"""What a turn shows, in pieces: each a kind and a text. Owns the kinds alone.

`out.txt` is the pieces' texts, joined; a chat groups them by kind into blocks of its own looks. So both always tell the
same.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import NamedTuple


class Kind(Enum):
    """What a piece is."""

    ANSWER = auto()  # more of the agent's text
    ANSWER_END = auto()  # that message is whole; its text ends the line, or is empty
    RESTART = auto()  # what follows takes the place of the open message
    SAID = auto()  # by a user into the running turn, quoted
    COMMAND = auto()  # its line
    OUTPUT = auto()  # of the command above, and how it ended
    CHANGE = auto()
    REASONING = auto()
    PLAN = auto()  # the steps, as they stand now
    PROPOSAL = auto()  # the text of plan mode
    NOTICE = auto()  # what else happens: tools, retries
    WARNING = auto()
    REFUSAL = auto()  # what the agent tried and was not done
    REQUEST = auto()  # the turn waits for a person
    DECISION = auto()  # what became of a request
    ERROR = auto()  # the one that ends the turn


class Piece(NamedTuple):
    """Text that is shown, with the blank lines that part it from what stands above it."""

    kind: Kind
    text: str


Pieces = Sequence[Piece]


def joined(pieces: Pieces) -> str:
    """The pieces as `out.txt` holds them."""
    return "".join([piece.text for piece in pieces])
