"""Full-screen use of a terminal: its alternate screen, keys and size. Must never know what is drawn.

Restores the terminal at the end, at an exception, when Ctrl-Z stops the process and when a signal ends it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import threading
import tty
from collections.abc import Callable
from types import TracebackType
from typing import Any

from codex_server_cli.cli.terminal.restore import restore_at_signals

_READ_BYTES = 4096
_CLEAR, _ERASE_LINE, _ERASE_BELOW = "\x1b[H\x1b[J", "\x1b[K", "\x1b[J"
_TAKE = "\x1b[?1049h\x1b[?25l\x1b[?2004h"  # the alternate screen, no cursor, bracketed pastes
_RESTORE = "\x1b[?2004l\x1b[?25h\x1b[?1049l"


class FullScreen:
    """A context for the main thread, which gets the signals; another thread may draw and wait meanwhile."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._lock = threading.RLock()  # held while writing to the terminal
        self._keys_fd = sys.stdin.fileno() if sys.stdin.isatty() else None
        self._modes: list[Any] | None = None
        self._is_taken = False
        self._size = (0, 0)
        self._shown: list[str] | None = None  # None: unknown

    def __enter__(self) -> FullScreen:
        with contextlib.ExitStack() as stack:
            self._wake_fd, self._waker_fd = os.pipe()
            stack.callback(os.close, self._wake_fd)
            stack.callback(os.close, self._waker_fd)
            os.set_blocking(self._waker_fd, False)
            # UTF-8 in any locale: the text of turns is not ASCII.
            file = stack.enter_context(os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", errors="replace"))
            self._file = file
            self._take()
            stack.callback(self._restore)
            stack.enter_context(restore_at_signals(self._restore, self._take))
            stack.callback(signal.signal, signal.SIGWINCH, signal.signal(signal.SIGWINCH, lambda *_: None))
            stack.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(self._waker_fd, warn_on_full_buffer=False))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def draw(self, make: Callable[[int, int], list[str]]) -> None:
        """Show the lines that `make` returns for the current columns and lines, into which they must fit; does nothing
        while the process is stopped.

        Only changed lines are written: over a slow connection the others would visibly flicker.
        """
        with self._lock:
            if not self._is_taken:
                return
            columns, lines = os.get_terminal_size(sys.stdout.fileno())
            size = (columns or 80, lines or 24)
            rows = make(*size)[: size[1]]
            if size != self._size:
                self._size, self._shown = size, None
            written = _changes(self._shown, rows)
            self._shown = rows
            if written:
                self._write(written)

    def forget(self) -> None:
        """Redraw everything the next time."""
        with self._lock:
            self._shown = None

    def wait(self, timeout_s: float | None) -> bytes | None:
        """Sleep until keys are pressed, the window is resized, `wake` is called, or the timeout.

        Returns:
            The keys that were pressed, often none; None at end of file: the terminal is gone.
        """
        fds = [self._wake_fd] if self._keys_fd is None else [self._wake_fd, self._keys_fd]
        ready, _, _ = select.select(fds, [], [], timeout_s)
        if self._wake_fd in ready:
            os.read(self._wake_fd, _READ_BYTES)
        if self._keys_fd in ready:
            return os.read(self._keys_fd, _READ_BYTES) or None
        return b""

    def wake(self) -> None:
        """End a `wait`, from any thread."""
        with contextlib.suppress(BlockingIOError):  # a wake-up is already pending
            os.write(self._waker_fd, b"\0")

    def _write(self, text: str) -> None:
        self._file.write(text)
        self._file.flush()

    def _take(self) -> None:
        with self._lock:
            if self._keys_fd is not None:
                self._modes = termios.tcgetattr(self._keys_fd)
                tty.setcbreak(self._keys_fd)
            self._write(_TAKE)
            self._is_taken, self._shown = True, None
        self.wake()

    def _restore(self) -> None:
        with self._lock:
            if self._is_taken:
                self._write(_RESTORE)
                self._is_taken = False
            if self._keys_fd is not None and self._modes is not None:
                termios.tcsetattr(self._keys_fd, termios.TCSADRAIN, self._modes)
                self._modes = None


def _changes(before: list[str] | None, now: list[str]) -> str:
    """The output that shows these lines; `before` is None if the current content is unknown."""
    written = [f"\x1b[{number};1H{_ERASE_LINE}{line}" for number, line in enumerate(now, 1)]
    if before is None:
        return "".join([_CLEAR, *written])
    changed = [each for number, each in enumerate(written) if now[number : number + 1] != before[number : number + 1]]
    return "".join(changed) + (f"\x1b[{len(now) + 1};1H{_ERASE_BELOW}" if len(now) < len(before) else "")
