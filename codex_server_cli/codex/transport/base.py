"""What the worker and a client need of a connection to one app-server. Owns the protocol that every link satisfies.

Must never know a message (`core.protocol.rpc`), or which kind of link is behind it.
"""

from __future__ import annotations

from typing import Protocol

FEWEST_FILES = 64
"""Under a lower limit on open files the rest of a worker could not be loaded beside what was begun early."""
GRACE_S = 0.5
"""For each rung of the ladder that ends an app-server; the end of stdin takes 24 to 32 ms, SIGTERM 40 to 140 (notes,
section 8)."""
FAREWELL_S = 10.0
"""For the first rung where codex runs the user's hooks before it goes; it gives each 1 s, unless he says otherwise."""


class Link(Protocol):
    """A byte stream to one app-server and back, and its end. Never blocks, except in `end`.

    Attributes:
        pid: the process that was started for this link; None where it leads to one that others use.
    """

    @property
    def pid(self) -> int | None:
        """See above."""

    def fds(self) -> tuple[int, ...]:
        """The descriptors to wait on for reading; may become fewer with a `read` that gave nothing."""

    def write_fd(self) -> int | None:
        """The descriptor to wait on for writing while something is unsent, else None."""

    def read(self, fd: int) -> bytes | None:
        """What has come, once one of `fds` is readable.

        Args:
            fd: that one.

        Returns:
            Some bytes; `b""` where nothing has come for us; None at the end: nothing more will come.
        """

    def send(self, data: bytes) -> None:
        """Queue bytes, none or more, and write what fits now.

        Raises:
            BrokenPipeError: the other side is gone.
        """

    def tick(self) -> float | None:
        """Do what is due by now: on TCP a ping. To be called in every round of a loop, after its reads.

        A connection that is found dead is reported by its descriptor, as any other end: `read` gives None.

        Returns:
            After how many seconds it has to be called again at the latest; None where time means nothing to the link.
        """

    def end(self, first_grace_s: float = ...) -> str:
        """End the app-server, or the connection to one that others use. May be called again.

        Args:
            first_grace_s: how long it has to end by itself.

        Returns:
            How it ended, for people: `exit code 0`, `signal 9`; `the connection was closed`, `the connection was lost`.
        """

    def stderr_tail(self) -> str:
        """The tail of what the app-server has written to stderr; empty where that cannot be seen."""

    def close(self) -> None:
        """Release the descriptors, after `end`."""
