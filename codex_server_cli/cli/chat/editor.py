"""The terminal beneath a chat's line editor: an application of prompt_toolkit's that survives resizing and signals.

Owns the terminal's modes. Must never know what is shown.
"""

from __future__ import annotations

import contextlib
import sys
import termios
from collections.abc import Iterator
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.output.vt100 import Vt100_Output

from codex_server_cli.cli.terminal.restore import restore_at_signals


class Output(Vt100_Output):
    """A terminal that is not asked where its cursor stands: an answer that comes late would be taken for keys, and the
    status line would come and go with it."""

    @property
    def responds_to_cpr(self) -> bool:
        """Never ask."""
        return False


class EditorApplication(Application[None]):
    """An application that is still erased where the terminal has wrapped its rows anew."""

    def _on_resize(self) -> None:
        """Go up to where the first row is now: most terminals wrap what no longer fits, which moves the cursor down."""
        screen, columns = self.renderer.last_rendered_screen, self.output.get_size().columns
        if screen is not None:
            cursor = screen.get_cursor_position(self.layout.current_window)
            ends = [
                max((x for x, cell in screen.data_buffer[y].items() if cell.char != " "), default=0)
                for y in range(cursor.y)
            ]
            self.output.cursor_up(sum(end // columns for end in [*ends, cursor.x]))
        super()._on_resize()

    def draw_now(self) -> None:
        """Draw, rather than soon."""
        self._redraw()

    def drop_typed_ahead(self) -> None:
        """Forget the keys that nobody has read yet."""
        with contextlib.suppress(termios.error):  # the terminal is gone
            termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)

    @contextlib.contextmanager
    def restoring(self) -> Iterator[None]:
        """Leave the terminal as it is now when a signal stops or ends us; take it again when we go on."""
        fd = sys.stdin.fileno()
        before = termios.tcgetattr(fd)
        ours: list[Any] = before

        def leave() -> None:
            nonlocal ours
            ours = termios.tcgetattr(fd)
            termios.tcsetattr(fd, termios.TCSANOW, before)
            if self.is_running:
                self.renderer.erase()  # and all that it has switched on

        def come_back() -> None:
            termios.tcsetattr(fd, termios.TCSANOW, ours)
            if self.is_running:
                self.renderer.reset()
                self.invalidate()

        with restore_at_signals(leave, come_back):
            yield
