"""The board of turns on a terminal: when it is redrawn, and its keys.

Two threads. The main one follows the monitor's stream, which ends only at a signal. The other owns the board and
redraws it: after an event, but for at most 1 % of its time; else once a second while any turn runs.
"""

from __future__ import annotations

import _thread
import queue
import re
import threading
import time

from rich.text import Text

from codex_server_cli.actions.read import monitor
from codex_server_cli.actions.read.board import Board, Selection
from codex_server_cli.cli.terminal.full_screen import FullScreen
from codex_server_cli.core.model.monitor_event import MonitorEvent
from codex_server_cli.core.model.turn import State
from codex_server_cli.render.turns import board as layout
from codex_server_cli.settings.places import Settings

_TICK_S = 1.0
_MIN_PAUSE_S = 0.1
_MAX_SHARE = 0.01
"""The largest share of CPU time that drawing may take."""
_ESCAPE = re.compile(rb"\x1b(\[[0-?]*[ -/]*[@-~]|O.|.)?", re.DOTALL)
"""An escape sequence; it may contain letters: F2 ends in Q."""


def show_board(settings: Settings, selection: Selection, limit: int | None) -> None:
    """Show the board until q is pressed.

    Args:
        limit: the largest number of turns; None for as many as fit.

    Raises:
        HomeError: see `monitor.stream`.
        KeyboardInterrupt: Ctrl-C.
    """
    shown = Board(settings, selection)
    with FullScreen() as screen:
        painter = _Painter(screen, shown, str(settings.user_home), limit)
        painter.start()
        try:
            for event in monitor.stream(settings, follows=True, warn=lambda _text: None):
                if event is not None:
                    painter.post(event)
        except KeyboardInterrupt:
            if not painter.has_ended:
                raise
        finally:
            painter.stop()


class _Painter(threading.Thread):
    """The thread that draws.

    Attributes:
        has_ended: whether it interrupted the main thread: q was pressed, or drawing failed.
    """

    def __init__(self, screen: FullScreen, shown: Board, user_home: str, limit: int | None) -> None:
        super().__init__(name="board", daemon=True)
        self.has_ended = False
        self._screen, self._board, self._user_home, self._limit = screen, shown, user_home, limit
        self._events: queue.SimpleQueue[MonitorEvent] = queue.SimpleQueue()
        self._is_over = False
        self._failure: Exception | None = None

    def post(self, event: MonitorEvent) -> None:
        """Queue an event and wake the thread."""
        self._events.put(event)
        self._screen.wake()

    def stop(self) -> None:
        """Stop the thread; raise its error, if it failed."""
        self._is_over = True
        self._screen.wake()
        self.join()
        if self._failure is not None:
            raise self._failure

    def run(self) -> None:
        """Draw until a key or `stop` ends the thread."""
        try:
            self._paint()
        except Exception as error:
            self._failure = error
        if not self._is_over:
            self.has_ended = True
            _thread.interrupt_main()

    def _paint(self) -> None:
        while not self._is_over:
            began_s = time.thread_time()
            while not self._events.empty():
                self._board.note(self._events.get())
            self._screen.draw(self._render)
            spent_s = time.thread_time() - began_s
            if not self._wait_until_due(min(max(spent_s / _MAX_SHARE, _MIN_PAUSE_S), _TICK_S)):
                return

    def _render(self, columns: int, lines: int) -> Text:
        rows = self._board.rows(layout.fitting(self._board.views, columns, lines, self._limit))
        return layout.board(rows, self._board.views, time.time_ns() // 1_000_000, self._user_home, columns)

    def _wait_until_due(self, pause_s: float) -> bool:
        """Sleep until the next redraw: after a second, or after the pause once something happens.

        Returns:
            False if the user wants to quit.
        """
        drawn_s = time.monotonic()
        is_running = any(view.state is State.RUNNING for view in self._board.views)
        due_s = _TICK_S if is_running else None
        while not self._is_over:
            left_s = None if due_s is None else drawn_s + due_s - time.monotonic()
            if left_s is not None and left_s <= 0:
                return True
            keys = self._screen.wait(left_s)
            if keys is None or b"q" in _ESCAPE.sub(b"", keys).lower():
                return False
            due_s = pause_s
        return False
