"""The terminal under a chat's line editor: a prompt_toolkit application that survives resizing and signals.

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
    """A terminal that is never queried for its cursor position: a late reply would be read as keys, and the status
    line would flicker."""

    @property
    def responds_to_cpr(self) -> bool:
        """Never query."""
        return False


class EditorApplication(Application[None]):
    """An application that is erased correctly after the terminal has rewrapped its rows."""

    def _on_resize(self) -> None:
        """Move up to the first row: most terminals wrap rows that no longer fit, which moves the cursor down."""
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
        """Draw at once."""
        self._redraw()

    def drop_typed_ahead(self) -> None:
        """Discard the keys that were not read yet."""
        with contextlib.suppress(termios.error):  # the terminal is gone
            termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)

    @contextlib.contextmanager
    def restoring(self) -> Iterator[None]:
        """Restore the terminal's current modes when a signal stops or ends the process; ours when it continues."""
        fd = sys.stdin.fileno()
        before = termios.tcgetattr(fd)
        ours: list[Any] = before

        def leave() -> None:
            nonlocal ours
            ours = termios.tcgetattr(fd)
            termios.tcsetattr(fd, termios.TCSANOW, before)
            if self.is_running:
                self.renderer.erase()  # and switches off the modes that it set

        def come_back() -> None:
            termios.tcsetattr(fd, termios.TCSANOW, ours)
            if self.is_running:
                self.renderer.reset()
                self.invalidate()

        with restore_at_signals(leave, come_back):
            yield
