"""Root without its power to pass permissions, so that they hold for it as for any user."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

IS_ROOT = os.geteuid() == 0
_POWERS = 1 << 1 | 1 << 2 | 1 << 5  # dac_override, dac_read_search, kill: bits of the kernel's capability sets
_VERSION_3 = 0x20080522  # of `capget` and `capset`: two words for each set


@contextmanager
def without_powers() -> Iterator[None]:
    """Root's permissions are checked like any user's: by this thread alone, and by no process that it starts."""
    if not IS_ROOT:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = (ctypes.c_uint32 * 2)(_VERSION_3, 0), (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable
    assert libc.capget(header, sets) == 0
    before = sets[0]
    try:
        sets[0] = before & ~_POWERS
        assert libc.capset(header, sets) == 0
        yield
    finally:
        sets[0] = before
        assert libc.capset(header, sets) == 0
