"""Restoring a terminal when a signal stops or ends the process while it draws."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType

_SIGNALS = (signal.SIGTSTP, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@contextlib.contextmanager
def restore_at_signals(leave: Callable[[], None], come_back: Callable[[], None]) -> Iterator[None]:
    """Call `leave` before a signal of `_SIGNALS` stops or ends the process, and `come_back` when it continues.

    Both are called in the main thread, between any two of its steps. Ctrl-C raises as usual.
    """

    def handle(signum: int, _frame: FrameType | None) -> None:
        try:
            leave()
        finally:  # a terminal that is gone cannot be restored, and must not prevent the exit
            signal.signal(signum, signal.SIG_DFL)
            signal.raise_signal(signum)  # in this thread, so that the stop is over when it returns
        signal.signal(signum, handle)
        come_back()

    before = {signum: signal.getsignal(signum) for signum in _SIGNALS}
    handled = [signum for signum, action in before.items() if action is signal.SIG_DFL]
    for signum in handled:
        signal.signal(signum, handle)
    try:
        yield
    finally:
        for signum in handled:
            signal.signal(signum, signal.SIG_DFL)
