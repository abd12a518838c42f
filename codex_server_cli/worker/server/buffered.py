"""A link that is read even while the worker is blocked: a server drops a reader that is 32 768 messages behind. Owns
the reader thread, and its buffer; must never know what a message means.

Seven seconds of a fast stream are enough for that (transport notes, section 2), and a disk can block for longer. So a
thread checks whether received bytes are being read, and if not, moves them to memory until the worker reads again.
While the worker keeps up, the thread only sleeps.
"""

from __future__ import annotations

import contextlib
import os
import select
from _thread import allocate_lock  # the module around it takes 0.7 ms
from collections import deque
from typing import TYPE_CHECKING

from codex_server_cli.codex.transport.base import Link

if TYPE_CHECKING:
    from threading import Event, Thread

_FIRST_READS = 1
"""No watching during these first reads: after the first reply the worker has more urgent work."""
_LOOK_S = 0.25
_MORE_MS = 50
_END_S = 1.0


class BufferedLink:
    """A `Link` to an app-server that others use."""

    def __init__(self, link: Link, sent: bytes = b"", heard: bytes = b"") -> None:
        """Take over a link.

        Args:
            sent: the beginning of the stream that was sent already: it is not sent again.
            heard: bytes received already.

        Raises:
            OSError: a limit on open files.
        """
        self._link = link
        self._lock = allocate_lock()
        self._buffer: deque[bytes] = deque()
        self._is_over = False  # as the thread has seen, which reads nothing more then
        self._reads = 0
        self._wake_fd, self._signal_fd = os.pipe()  # the first is readable while bytes or EOF are buffered
        self._is_signalled = False
        self._write_fd: int | None = None
        self._watching: tuple[Thread, Event] | None = None
        self._sent = sent
        if heard:
            self._buffer.append(heard)
            self._signal()

    @property
    def pid(self) -> int | None:
        """See `Link`."""
        return self._link.pid

    def fds(self) -> tuple[int, ...]:
        """See `Link`."""
        return (*self._link.fds(), self._wake_fd)

    def write_fd(self) -> int | None:
        """See `Link`: a duplicate of the descriptor for reading, because a selector accepts each only once."""
        with self._lock:
            fd = self._link.write_fd()
            if fd is not None and self._write_fd is None:
                self._write_fd = os.dup(fd)
            return None if fd is None else self._write_fd

    def read(self, fd: int) -> bytes | None:
        """See `Link`: returns buffered bytes first."""
        with self._lock:
            self._reads += 1
            if self._buffer:
                data = b"".join(self._buffer)
                self._buffer.clear()
                if not self._is_over:
                    self._reset_signal()
                return data
            if self._is_over:
                return None
            return b"" if fd == self._wake_fd else self._link.read(fd)

    def send(self, data: bytes) -> None:
        """See `Link`."""
        with self._lock:
            self._link.send(self._unsent_of(data) if self._sent else data)

    def _unsent_of(self, data: bytes) -> bytes:
        """The part that was not sent already.

        Raises:
            BrokenPipeError: something else was sent; the retry on a new connection sends the right data.
        """
        both = min(len(data), len(self._sent))
        if data[:both] != self._sent[:both]:
            self._sent = b""
            self._link.end()
            raise BrokenPipeError("something else was sent already")
        self._sent = self._sent[both:]
        return data[both:]

    def tick(self) -> float | None:
        """See `Link`."""
        if self._watching is None and self._reads > _FIRST_READS:
            with contextlib.suppress(OSError):  # a limit on open files: retried at the next tick
                self._begin_watching()
        with self._lock:
            return self._link.tick()

    def end(self, first_grace_s: float = 0.5) -> str:
        """See `Link`."""
        if self._watching is not None:
            thread, has_ended = self._watching
            has_ended.set()
            thread.join(_END_S)
        with self._lock:
            return self._link.end(first_grace_s)

    def stderr_tail(self) -> str:
        """See `Link`."""
        return self._link.stderr_tail()

    def close(self) -> None:
        """See `Link`."""
        self._link.close()
        for fd in (self._wake_fd, self._signal_fd, self._write_fd):
            if fd is not None:
                os.close(fd)

    def _begin_watching(self) -> None:
        from threading import Event, Thread

        has_ended = Event()
        thread = Thread(target=self._watch, args=(has_ended,), daemon=True)
        thread.start()
        self._watching = thread, has_ended

    def _watch(self, has_ended: Event) -> None:
        """Read what the worker has left unread for a whole interval, until it reads again."""
        reads = -1
        while not has_ended.wait(_LOOK_S):
            patience_ms = 0  # otherwise this would take bytes that have just arrived for an active worker
            while not has_ended.is_set() and self._is_left(reads) and self._is_waiting(patience_ms):
                self._hold(reads)
                patience_ms = _MORE_MS  # the rest of a stream arrives with delays
            reads = self._reads

    def _is_left(self, reads: int) -> bool:
        """Whether the worker has not read since, and there may be more to read."""
        return reads == self._reads and not self._is_over

    def _is_waiting(self, patience_ms: int) -> bool:
        """Whether there is something to read, within this time."""
        poll = select.poll()
        for fd in self._link.fds():
            poll.register(fd, select.POLLIN)
        return bool(poll.poll(patience_ms))

    def _hold(self, reads: int) -> None:
        """Move the available bytes to memory, unless the worker has read again."""
        with self._lock:
            if reads != self._reads:
                return
            for fd in self._link.fds():
                data = self._link.read(fd)
                if data:
                    self._buffer.append(data)
                self._is_over = self._is_over or data is None
            if self._buffer or self._is_over:
                self._signal()

    def _signal(self) -> None:
        if not self._is_signalled:
            self._is_signalled = True
            os.write(self._signal_fd, b"!")

    def _reset_signal(self) -> None:
        if self._is_signalled:
            self._is_signalled = False
            os.read(self._wake_fd, 1)
