"""Signals that end a command, held back while its modules are imported.

Python runs callbacks of its own inside an import, and drops an exception that a signal raises there: the command would
go on as if nobody had ended it. Owns when such signals are delivered, not what they do.
"""

from __future__ import annotations

import signal

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_found: list[set[int]] = []
"""The signals that were blocked before: whoever has started this process may want them to be."""


def hold() -> None:
    """Hold them back. What is started before `release` would never hear of them."""
    _found.append(set(signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)))


def release() -> None:
    """Deliver what has come meanwhile, and what comes from now on; nothing, where none are held back."""
    if _found:
        signal.pthread_sigmask(signal.SIG_SETMASK, _found.pop())
