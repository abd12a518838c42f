"""The pipes of a spawned app-server. Owns their descriptors and the queue of unsent bytes; knows no message."""

from __future__ import annotations

import contextlib
import fcntl
import os

READ_BYTES = 1 << 20
_F_SETPIPE_SZ = getattr(fcntl, "F_SETPIPE_SZ", None)


class StdioPipes:
    """The stdin and stdout of an app-server. Unsent bytes are queued: a full pipe must never stop us from reading."""

    def __init__(self, stdin_fd: int, stdout_fd: int) -> None:
        self._stdin_fd: int | None = stdin_fd
        self._stdout_fd = stdout_fd
        self._unsent = bytearray()
        for fd in (stdin_fd, stdout_fd):
            os.set_blocking(fd, False)
        if _F_SETPIPE_SZ is not None:
            with contextlib.suppress(OSError):  # fewer wake-ups while text streams; a user limit may forbid it
                fcntl.fcntl(stdout_fd, _F_SETPIPE_SZ, READ_BYTES)

    @property
    def read_fd(self) -> int:
        """The descriptor to wait on for reading."""
        return self._stdout_fd

    def write_fd(self) -> int | None:
        """The descriptor to wait on for writing while something is unsent, else None."""
        return self._stdin_fd if self._unsent else None

    def read(self) -> bytes | None:
        """The received bytes: `b""` where there are none, None at EOF."""
        try:
            return os.read(self._stdout_fd, READ_BYTES) or None
        except BlockingIOError:  # nothing more just now
            return b""

    def send(self, data: bytes) -> None:
        """Queue bytes, none or more, and write what fits now.

        Raises:
            BrokenPipeError: the reader is gone.
        """
        self._unsent += data
        while self._unsent and self._stdin_fd is not None:
            try:
                sent = os.write(self._stdin_fd, self._unsent)
            except BlockingIOError:  # the pipe is full
                return
            del self._unsent[:sent]

    def close(self) -> None:
        """Close stdin; an app-server on stdio ends at its EOF."""
        if self._stdin_fd is not None:
            os.close(self._stdin_fd)
            self._stdin_fd = None
