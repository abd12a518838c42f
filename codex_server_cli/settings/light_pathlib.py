"""Loads `pathlib` without `urllib.parse`, which takes 1.5 ms of each start and 0.6 MB: up to Python 3.12 it is imported
with it, for `Path.as_uri` alone.
"""

from __future__ import annotations

import sys

_PARSE = "urllib.parse"


def load() -> None:
    """To be called before anything imports `pathlib`; later it does nothing."""
    if "pathlib" in sys.modules or _PARSE in sys.modules:
        return
    stand_in = type(sys)(_PARSE)
    stand_in.quote_from_bytes = _quote_from_bytes  # type: ignore[attr-defined]
    sys.modules[_PARSE] = stand_in
    try:
        import pathlib  # noqa: F401
    finally:
        del sys.modules[_PARSE]


def _quote_from_bytes(data: bytes) -> str:
    from urllib.parse import quote_from_bytes

    return quote_from_bytes(data)
