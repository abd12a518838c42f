"""What the way to its app-server means for a turn. Pure values, made by the worker, read by the session."""

from __future__ import annotations

from typing import NamedTuple


class ServerTerms(NamedTuple):
    """How a turn stands to its app-server.

    Attributes:
        is_shared: others use it as well, and it lives on without us: messages of other threads come, a lost connection
            ends no turn, and what a turn leaves running is ended by request.
        is_ours: it is our own shared server, which releases a thread one second after its last turn.
        environment: the variables that the turn's commands get in place of the app-server's own; None where they get
            those of the app-server, as one that was spawned for the turn has the right ones.
    """

    is_shared: bool = False
    is_ours: bool = False
    environment: dict[str, str] | None = None


OWN_SERVER = ServerTerms()
"""An app-server that was started for the turn and ends with it."""
