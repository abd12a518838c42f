"""Leaving a terminal as it was when a signal stops or ends us in the middle of drawing on it."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType

_SIGNALS = (signal.SIGTSTP, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@contextlib.contextmanager
def restore_at_signals(leave: Callable[[], None], come_back: Callable[[], None]) -> Iterator[None]:
    """Call `leave` before Ctrl-Z stops us, or a signal of `_SIGNALS` ends us, and `come_back` when we go on.

    Both are called in the main thread, between any two steps of what it does. Ctrl-C raises, as ever.
    """

    def handle(signum: int, _frame: FrameType | None) -> None:
        try:
            leave()
        finally:  # a terminal that is gone cannot be left tidily, and must not keep us from ending
            signal.signal(signum, signal.SIG_DFL)
            signal.raise_signal(signum)  # in this thread, so that we have been stopped when it returns
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
