"""Blocking the signals that end a command while its modules are imported.

Python runs its own callbacks inside an import, and drops an exception that a signal raises there: the command would
ignore the signal. Owns when such signals are delivered, not what they do.
"""

from __future__ import annotations

import signal

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_found: list[set[int]] = []
"""The signals that were blocked before; the process that started us may want them to be."""


def hold() -> None:
    """Block them. A process started before `release` would inherit the mask, and never get them."""
    _found.append(set(signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)))


def release() -> None:
    """Restore the previous mask, which delivers pending signals; does nothing without a `hold`."""
    if _found:
        signal.pthread_sigmask(signal.SIG_SETMASK, _found.pop())
