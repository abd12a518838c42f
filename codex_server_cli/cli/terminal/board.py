"""The cockpit on a terminal: its threads, and when it is redrawn. Must never know what a key does: `controller` does.

Two threads. The main one follows the monitor's stream, which ends only at a signal. The other owns the controller and
redraws it: at once after a key; after an event, but for at most 1 % of its time; else once a second while any turn
runs, more often while the text of one is shown, and occasionally to update ages.
"""

from __future__ import annotations

import _thread
import contextlib
import queue
import threading
import time
from collections.abc import Callable
from functools import partial

from codex_server_cli.actions.read import monitor
from codex_server_cli.actions.read.board import Board, Selection
from codex_server_cli.cli import output
from codex_server_cli.cli.terminal.controller import Controller
from codex_server_cli.cli.terminal.full_screen import FullScreen
from codex_server_cli.cli.terminal.keys import KeyReader, Pasted
from codex_server_cli.settings.places import Settings

_TICK_S, _TEXT_TICK_S, _IDLE_TICK_S = 1.0, 0.2, 15.0
_MIN_PAUSE_S = 0.1
_MAX_SHARE = 0.01
"""The largest share of CPU time that drawing may take."""
_ESCAPE_S = 0.05
"""How long an Esc may be the beginning of a key sequence."""
_DECISION_S = 5.0
"""How long to wait for a decision to be sent after the user has left."""


def show_board(settings: Settings, selection: Selection, limit: int | None) -> None:
    """Show the cockpit until q is pressed.

    Args:
        limit: the largest number of turns; None for all.

    Raises:
        HomeError: see `monitor.stream`.
        KeyboardInterrupt: Ctrl-C.
    """
    shown = Board(settings, selection)
    with contextlib.ExitStack() as at_end, FullScreen() as screen:
        painter = _PaintThread(screen, settings, shown, limit)
        at_end.callback(painter.tell_rest)  # once the terminal is the shell's again
        painter.start()
        try:
            for event in monitor.stream(settings, follows=True, warn=lambda _text: None):
                if event is not None:
                    painter.post(partial(shown.note, event))
        except KeyboardInterrupt:
            if not painter.has_ended:
                raise
        finally:
            painter.stop()


class _PaintThread(threading.Thread):
    """The thread that draws, and handles the keys.

    Attributes:
        has_ended: whether it interrupted the main thread: q was pressed, or drawing failed.
    """

    def __init__(self, screen: FullScreen, settings: Settings, shown: Board, limit: int | None) -> None:
        super().__init__(name="board", daemon=True)
        self.has_ended = False
        self._screen = screen
        self._controller = Controller(settings, shown, limit, self._post_result, screen.forget)
        self._keys = KeyReader()
        self._fed_s = 0.0  # when its last bytes came
        self._posts: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._is_over = self._has_result = False
        self._failure: Exception | None = None

    def post(self, call: Callable[[], None]) -> None:
        """Schedule a call on this thread, before it draws again."""
        self._posts.put(call)
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

    def tell_rest(self) -> None:
        """Report on stderr the results of decisions that were being sent at the end."""
        for message in self._controller.finish(_DECISION_S, self._catch_up):
            output.note(message)

    def _catch_up(self) -> None:
        while not self._posts.empty():
            self._posts.get()()

    def _post_result(self, call: Callable[[], None]) -> None:
        """The same for a result that the user waits for."""
        self._posts.put(call)
        self._has_result = True  # after it: the other order could leave the call waiting for the next tick
        self._screen.wake()

    def _paint(self) -> None:
        while not self._is_over:
            began_s = time.thread_time()
            self._has_result = False
            self._catch_up()
            self._controller.refresh()
            self._screen.draw(self._controller.frame)
            self._controller.note_drawn()
            spent_s = time.thread_time() - began_s
            if not self._wait_until_due(min(max(spent_s / _MAX_SHARE, _MIN_PAUSE_S), _TICK_S)):
                return

    def _wait_until_due(self, pause_s: float) -> bool:
        """Sleep until the next redraw: after a tick, a key, or a pause after an event.

        Returns:
            False if the user wants to quit.
        """
        drawn_s = time.monotonic()
        due_s = _TEXT_TICK_S if self._controller.is_growing else _TICK_S if self._controller.is_live else _IDLE_TICK_S
        while not self._is_over:
            left_s = drawn_s + due_s - time.monotonic()
            if left_s <= 0:
                return True
            escape_s = self._fed_s + _ESCAPE_S - time.monotonic() if self._keys.may_be_escape else left_s
            data = self._screen.wait(max(min(left_s, escape_s), 0.0))
            if data is None:
                return False
            keys = self._keys_of(data)
            for key in keys:
                if not self._controller.take(key):
                    return False
            if keys or self._has_result:
                return True
            due_s = min(pause_s, due_s)
        return False

    def _keys_of(self, data: bytes) -> list[str | Pasted]:
        """The keys that these bytes complete, or Esc after its timeout."""
        now_s = time.monotonic()
        if data:
            self._fed_s = now_s
            return self._keys.feed(data)
        return self._keys.flush() if now_s - self._fed_s >= _ESCAPE_S else []
