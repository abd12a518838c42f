"""What a turn must know about its app-server. Pure values, made by the worker, read by the session."""

from __future__ import annotations

from typing import NamedTuple


class ServerTerms(NamedTuple):
    """Properties of the app-server that a turn depends on.

    Attributes:
        is_shared: other clients use it, and it outlives us: messages of other threads arrive, a turn survives a lost
            connection, and processes that a turn leaves running are ended by request.
        is_ours: it is our own shared server, which releases a thread one second after its last turn.
        environment: the variables that the turn's commands get instead of the app-server's; None if they get the
            app-server's, because one that was spawned for the turn has the right ones.
    """

    is_shared: bool = False
    is_ours: bool = False
    environment: dict[str, str] | None = None


OWN_SERVER = ServerTerms()
"""An app-server that was started for the turn and ends with it."""
