"""The spinner: a turn's phase, shown after its text on a terminal while there is no output. Owns its full erasure.

It is drawn to the right of the cursor, which it never moves: one write saves the cursor, writes the line without
wrapping, and restores the cursor. So later output (text, a resized window, the shell's prompt) begins where the text
ended, and one sequence erases the spinner: "erase from the cursor to the end of the screen". Text that still grows has
its own rows between the two, for which the screen is scrolled first. Must never be imported for a pipe.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType

from codex_server_cli.cli import output
from codex_server_cli.cli.terminal.echo import ControlEcho, is_foreground
from codex_server_cli.cli.terminal.restore import restore_at_signals
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.render.spinner import column_after, is_waiting, spinner_line
from codex_server_cli.settings.terminal import has_color

SILENCE_S = 0.5
"""The silence before the spinner is shown."""

_FRAME_S = 0.125
_FRAMES_PER_READ = 4
"""Frames between two reads of the turn's files."""
_MIN_COLUMNS = 12
_GAP = "  "  # between an unfinished line of text and the spinner
_BEGIN, _END = "\x1b7\x1b[?7l", "\x1b[J\x1b[?7h\x1b8"  # save, do not wrap; erase the rest, wrap, restore
_ERASE = "\x1b7 \x1b[J\x1b8\x1b[K"  # in two steps: tmux scrolls a screen that is cleared as a whole into its history
_MAX_ROWS = 10
"""Of growing text: few, so that little garbage remains when a window becomes smaller than they are."""
_DIM, _BOLD, _YELLOW, _PLAIN = "\x1b[2m", "\x1b[1m", "\x1b[33m", "\x1b[0m"


class Spinner:
    """A context in which `Spinner.show` replaces another function that prints text.

    Args:
        read_view: reads the turn's current state; called from another thread.
        show: that function.
    """

    def __init__(self, read_view: Callable[[], TurnView], show: Callable[[str], None] = output.show) -> None:
        self._read_view = read_view
        self._show = show
        self._growing = ""  # the text that still grows, raw
        self._status = ""  # the line of the last frame, with its style
        self._line: list[str] = []  # the text since the last line end
        self._shown_s = time.monotonic()
        self._is_drawn = False
        self._frame = 0
        self._lock = threading.RLock()  # reentrant: a signal may come during a write
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._animate, name="spinner", daemon=True)
        self._echo = ControlEcho(sys.stdout.fileno())
        self._signals = restore_at_signals(self._leave, self._echo.hide)

    def __enter__(self) -> Spinner:
        self._signals.__enter__()
        self._thread.start()
        self._echo.hide()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._echo.restore()
        self._is_over.set()
        self._thread.join()
        self._erase()
        self._signals.__exit__(kind, error, trace)

    def _leave(self) -> None:
        self._echo.restore()
        self._erase()

    @property
    def hides_keys(self) -> bool:
        """Whether the terminal does not echo `^C`."""
        return self._echo.is_hidden

    def show(self, text: str) -> None:
        """Show more of the turn's text."""
        with self._lock:
            self._erase()
            self._show(text)
            before, line_end, rest = text.rpartition("\n")
            if line_end:
                self._line.clear()
            self._line.append(rest if line_end else before + rest)
            self._shown_s = time.monotonic()

    def grow(self, text: str) -> None:
        """Show the end of a raw text that is not complete yet; it replaces the previous one."""
        with self._lock, contextlib.suppress(OSError):  # the terminal is gone
            self._growing = text
            self._redraw()

    def _erase(self) -> None:
        with self._lock:
            if self._is_drawn:
                self._is_drawn = False
                output.draw(_ERASE)

    def _animate(self) -> None:
        with contextlib.suppress(OSError):  # the terminal is gone
            self._animate_while_silent()

    def _animate_while_silent(self) -> None:
        view: TurnView | None = None
        while not self._is_over.wait(max(_FRAME_S, SILENCE_S - self._silence_s())):
            if self._silence_s() < SILENCE_S:
                view = None
                continue
            if view is None or self._frame % _FRAMES_PER_READ == 0:
                view = self._read_view()
            self._frame += 1
            with self._lock:
                if self._silence_s() >= SILENCE_S:
                    self._draw(view)

    def _silence_s(self) -> float:
        return time.monotonic() - self._shown_s

    def _draw(self, view: TurnView) -> None:
        if view.state is not State.RUNNING:
            self._erase()
            return
        columns = os.get_terminal_size(sys.stdout.fileno()).columns
        column = column_after("".join(self._line), columns)
        gap = _GAP if column else ""
        room = columns - column - len(gap) - 1
        line = spinner_line(view, self._frame, time.time_ns() // 1_000_000, room) if room >= _MIN_COLUMNS else ""
        self._status = f"{gap}{_style(view)}{line}{_PLAIN}" if line else ""
        self._redraw()

    def _redraw(self) -> None:
        """Draw the rows and the status in one write, so that nothing flickers."""
        shown = [*self._rows(), self._status] if self._status else self._rows()
        if not shown or self._is_over.is_set() or not is_foreground():
            self._erase()
            return
        below = len(shown) - 1
        room = "\n" * below + f"\x1b[{below}A" if below else ""
        self._is_drawn = True
        output.draw(f"{room}{_BEGIN}" + "\x1b[K\r\n".join(shown) + _END)

    def _rows(self) -> list[str]:
        """The last rows of the growing text, below a blank one."""
        if not self._growing:
            return []
        from codex_server_cli.cli.terminal.markdown import tail_rows  # already loaded if there is such a text

        size = os.get_terminal_size(sys.stdout.fileno())
        if size.columns < _MIN_COLUMNS:  # also a terminal that does not know its size
            return []
        rows = tail_rows(self._growing, size.columns, max(min(_MAX_ROWS, size.lines // 2), 1))
        return ["", *(f"{_DIM}{row}{_PLAIN}" for row in rows)]


def _style(view: TurnView) -> str:
    if not is_waiting(view):
        return _DIM
    return f"{_BOLD}{_YELLOW}" if has_color() else _BOLD
