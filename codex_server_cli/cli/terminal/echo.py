"""The terminal's own `^C` and `^Z` for keys that control a job: not shown while text is followed, which they would cut.

Owns that the terminal's modes are restored on every way out, and only where it is still ours. What else is typed is
echoed as ever.
"""

from __future__ import annotations

import contextlib
import os
import sys
import termios

_MODES = 3  # the local ones, in what `tcgetattr` returns


def is_foreground() -> bool:
    """Whether we are the foreground job; a background job shares the terminal with what the user types."""
    try:
        return os.tcgetpgrp(sys.stdout.fileno()) == os.getpgrp()
    except OSError:  # a terminal without job control
        return True


class ControlEcho:
    """The echo of control keys on one terminal.

    Args:
        fd: of the terminal.

    Attributes:
        is_hidden: whether it is off.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.is_hidden = False

    def hide(self) -> None:
        """Turn it off, where the terminal has it; nothing in the background, whose terminal is another job's."""
        if not is_foreground():
            return
        try:
            self._set(is_on=False)
        except KeyboardInterrupt:  # for the user's shell: the caller has nothing to restore yet
            self.restore()
            raise

    def restore(self) -> None:
        """Turn it on again, where it was on."""
        if self.is_hidden and is_foreground():
            self._set(is_on=True)
        self.is_hidden = False

    def _set(self, *, is_on: bool) -> None:
        with contextlib.suppress(termios.error):  # the terminal is gone
            modes = termios.tcgetattr(self._fd)
            if bool(modes[_MODES] & termios.ECHOCTL) is not is_on:
                self.is_hidden = not is_on
                modes[_MODES] ^= termios.ECHOCTL
                termios.tcsetattr(self._fd, termios.TCSANOW, modes)
