"""What a turn needs of a transport: bytes out, bytes in, an end. Owns the protocol that every transport satisfies."""

from __future__ import annotations

from typing import Protocol


class Transport(Protocol):
    """A byte stream to one app-server and back; never blocks."""

    def read_fd(self) -> int:
        """The descriptor to wait on for reading."""

    def write_fd(self) -> int | None:
        """The descriptor to wait on for writing while something is unsent, else None."""

    def read(self) -> bytes | None:
        """What has come: some bytes, `b""` where nothing has, None at the end of the stream."""

    def send(self, data: bytes) -> None:
        """Queue bytes and write what fits now.

        Raises:
            BrokenPipeError: the other side is gone.
        """

    def flush(self) -> None:
        """Write more of what is queued.

        Raises:
            BrokenPipeError: the other side is gone.
        """

    def close(self) -> None:
        """Say that nothing more will be sent."""
