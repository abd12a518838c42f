"""The terminal's echo of control keys (`^C`, `^Z`): off while text is followed, because it would break lines.

Owns that the terminal's modes are restored on every exit path, and only if we are still in the foreground. Other keys
are echoed as usual.
"""

from __future__ import annotations

import contextlib
import os
import sys
import termios

_MODES = 3  # index of the local modes in the result of `tcgetattr`


def is_foreground() -> bool:
    """Whether we are the foreground job; a background job shares the terminal with the user's shell."""
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
        """Turn it off, if the terminal has it; does nothing in the background, where another job has the terminal."""
        if not is_foreground():
            return
        try:
            self._set(is_on=False)
        except KeyboardInterrupt:  # for the user's shell: the caller has nothing to restore yet
            self.restore()
            raise

    def restore(self) -> None:
        """Turn it on again, if it was on."""
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
