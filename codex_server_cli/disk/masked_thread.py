"""A thread that sleeps in the kernel with all signals blocked, so that the main thread gets and handles them.

Owns how it is started. Its only user is a queued turn that waits for the one before it (`queue`), which must stay light
to import; the stack is small because hundreds may wait at once.
"""

from __future__ import annotations

import _thread
import signal
from collections.abc import Callable

_STACK_BYTES = 256 * 1024


def start(function: Callable[..., object], *arguments: object) -> None:
    """Run a function in a daemon thread, which ends with the function or the process.

    Raises:
        RuntimeError: the machine allows no more threads.
    """
    previous_size = _thread.stack_size(_STACK_BYTES)
    previous_mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        _thread.start_new_thread(function, arguments)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous_mask)
        _thread.stack_size(previous_size)
