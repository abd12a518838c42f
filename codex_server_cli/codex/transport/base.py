"""What the worker and a client need of a connection to one app-server. Owns the protocol that every link satisfies.

Must never know a message (`core.protocol.rpc`), or which kind of link is behind it.
"""

from __future__ import annotations

from typing import Protocol

FEWEST_FILES = 64
"""Under a lower limit on open files the rest of a worker could not be imported beside an early app-server."""
GRACE_S = 0.5
"""For each step that ends an app-server: EOF on stdin takes 24 to 32 ms, SIGTERM 40 to 140 (notes, section 8)."""
FAREWELL_S = 10.0
"""For the first step where codex runs the user's hooks before it exits; it gives each 1 s, unless configured."""


class Link(Protocol):
    """A byte stream to one app-server and back, and its end. Never blocks, except in `end`.

    Attributes:
        pid: the process that was spawned for this link; None where the link leads to a server that others use.
    """

    @property
    def pid(self) -> int | None:
        """See above."""

    def fds(self) -> tuple[int, ...]:
        """The descriptors to wait on for reading; may become fewer after a `read` that returned nothing."""

    def write_fd(self) -> int | None:
        """The descriptor to wait on for writing while something is unsent, else None."""

    def read(self, fd: int) -> bytes | None:
        """The received bytes, once one of `fds` is readable.

        Args:
            fd: the readable one.

        Returns:
            Some bytes; `b""` where there are none for us; None at EOF.
        """

    def send(self, data: bytes) -> None:
        """Queue bytes, none or more, and write what fits now.

        Raises:
            BrokenPipeError: the peer is gone.
        """

    def tick(self) -> float | None:
        """Do what is due by now: on TCP a ping. Call it in every iteration of a loop, after the reads.

        A dead connection is reported through its descriptor, as any other end: `read` returns None.

        Returns:
            After how many seconds it must be called again at the latest; None where the link has no timers.
        """

    def end(self, first_grace_s: float = ...) -> str:
        """End the app-server, or the connection to one that others use. Idempotent.

        Args:
            first_grace_s: how long it has to exit by itself.

        Returns:
            How it ended, for people: `exit code 0`, `signal 9`; `the connection was closed`, `the connection was lost`.
        """

    def stderr_tail(self) -> str:
        """The tail of the app-server's stderr; empty where we do not have it."""

    def close(self) -> None:
        """Release the descriptors, after `end`."""
