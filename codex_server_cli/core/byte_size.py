"""Sizes as users write them: `500M`, `2G`, `1.5T`."""

from __future__ import annotations

import re

from codex_server_cli.errors import UsageError

_PATTERN = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT])(?:i?B)?", re.IGNORECASE)
_BYTES = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_LARGEST = 2**60


def parse_size(text: str, flag: str) -> int:
    """Parse a size above zero into bytes; its unit is a power of 1024.

    Args:
        flag: the option that it was given to.

    Raises:
        UsageError: it is not such a size.
    """
    match = _PATTERN.fullmatch(text.strip())
    n_bytes = float(match.group(1)) * _BYTES[match.group(2).upper()] if match else 0.0
    if not 1 <= n_bytes <= _LARGEST:
        raise UsageError(f"{flag} takes a size above 0 with its unit, not {text[:40]!r}", hint="Like 500M, 2G or 1.5T.")
    return int(n_bytes)
