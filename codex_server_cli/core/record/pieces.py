"""The displayed text of a turn, in pieces: each has a kind and a text. Owns only the kinds.

`out.txt` is the joined texts of the pieces; a chat groups them by kind into styled blocks. So both always agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import NamedTuple


class Kind(Enum):
    """The kind of a piece."""

    ANSWER = auto()  # more of the agent's text
    ANSWER_END = auto()  # that message is complete; its text ends the line, or is empty
    RESTART = auto()  # what follows replaces the open message
    SAID = auto()  # a user's message to the running turn, quoted
    COMMAND = auto()  # the command line
    OUTPUT = auto()  # of the command above, and how it ended
    CHANGE = auto()
    REASONING = auto()
    PLAN = auto()  # the current steps
    PROPOSAL = auto()  # the text of plan mode
    NOTICE = auto()  # other events: tools, retries
    WARNING = auto()
    REFUSAL = auto()  # an action of the agent that was not carried out
    REQUEST = auto()  # the turn waits for a user
    DECISION = auto()  # the outcome of a request
    ERROR = auto()  # the one that ends the turn


class Piece(NamedTuple):
    """Displayed text, with the blank lines that separate it from the text above."""

    kind: Kind
    text: str


Pieces = Sequence[Piece]


def joined(pieces: Pieces) -> str:
    """The pieces as `out.txt` has them."""
    return "".join([piece.text for piece in pieces])
