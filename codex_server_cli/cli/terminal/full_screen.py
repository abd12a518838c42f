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

from rich.console import Console
from rich.segment import Segment, Segments
from rich.text import Text

from codex_server_cli.cli.terminal.restore import restore_at_signals

_READ_BYTES = 4096
_HOME, _ERASE_LINE, _ERASE_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"


class FullScreen:
    """A context for the main thread, which gets the signals; another thread may draw and wait meanwhile."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._lock = threading.RLock()  # held while writing to the terminal
        self._keys_fd = sys.stdin.fileno() if sys.stdin.isatty() else None
        self._modes: list[Any] | None = None
        self._is_taken = False

    def __enter__(self) -> FullScreen:
        with contextlib.ExitStack() as stack:
            self._wake_fd, self._waker_fd = os.pipe()
            stack.callback(os.close, self._wake_fd)
            stack.callback(os.close, self._waker_fd)
            os.set_blocking(self._waker_fd, False)
            # UTF-8 in any locale: the text of turns is not ASCII.
            file = stack.enter_context(os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", errors="replace"))
            self._console = Console(file=file, force_terminal=True)
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

    def draw(self, make: Callable[[int, int], Text]) -> None:
        """Show what `make` returns for the current columns and lines, in which it must fit; nothing while the process
        is stopped.

        Written without rich's `Live`, which takes four times as long to fill the rest of the screen with blanks.
        """
        with self._lock:
            if not self._is_taken:
                return
            columns, lines = os.get_terminal_size(sys.stdout.fileno())
            self._console.size = (columns or 80, lines or 24)
            text, is_full = _first_lines(make(*self._console.size), lines or 24)
            segments = [Segment(_HOME + _ERASE_LINE)]
            for segment in text.render(self._console):
                # Erased before it is written: behind a character in the last column, that one would be erased.
                segments.append(Segment(segment.text.replace("\n", f"\n{_ERASE_LINE}"), segment.style))
            segments += [] if is_full else [Segment(f"\n{_ERASE_BELOW}")]
            self._console.print(Segments(segments), end="", soft_wrap=True)

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
        with contextlib.suppress(BlockingIOError):  # a wake-up is pending already
            os.write(self._waker_fd, b"\0")

    def _take(self) -> None:
        with self._lock:
            if self._keys_fd is not None:
                self._modes = termios.tcgetattr(self._keys_fd)
                tty.setcbreak(self._keys_fd)
            self._console.set_alt_screen(True)
            self._console.show_cursor(False)
            self._is_taken = True
        self.wake()

    def _restore(self) -> None:
        with self._lock:
            if self._is_taken:
                self._console.show_cursor(True)
                self._console.set_alt_screen(False)
                self._is_taken = False
            if self._keys_fd is not None and self._modes is not None:
                termios.tcsetattr(self._keys_fd, termios.TCSADRAIN, self._modes)
                self._modes = None


def _first_lines(text: Text, n: int) -> tuple[Text, bool]:
    """At most `n` lines of a text, and whether it has as many."""
    end = -1
    for i in range(n):
        end = text.plain.find("\n", end + 1)
        if end < 0:
            return text, i == n - 1
    return text[:end], True
