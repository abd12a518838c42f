"""Importing two modules of the standard library faster, without parts that this program never uses.

Call these before anything else imports the modules. If a Python version works differently, nothing changes.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing itself takes 3 ms
if TYPE_CHECKING:
    from typing import Any

_PARSE = "urllib.parse"
_OF_A_FIELD = "field "
"""The beginning of `NamedTuple`'s error message for an annotation that is not a type."""


def load_pathlib() -> None:
    """Import `pathlib` without `urllib.parse`: 1.5 ms and 0.6 MB, up to Python 3.12, only for `Path.as_uri`."""
    if "pathlib" in sys.modules or _PARSE in sys.modules:
        return
    stand_in: Any = type(sys)(_PARSE)
    stand_in.quote_from_bytes = _quote_from_bytes
    sys.modules[_PARSE] = stand_in
    try:
        import pathlib  # noqa: F401
    finally:
        del sys.modules[_PARSE]


def _quote_from_bytes(data: bytes) -> str:
    from urllib.parse import quote_from_bytes

    return quote_from_bytes(data)


def load_typing() -> None:
    """Import `typing`, and keep `NamedTuple` from compiling annotations that are strings: 4 ms of a worker's start.

    They stay strings, as in every other class under `from __future__ import annotations`. This replaces a private
    function; if a Python version lacks it, or calls it differently, only the time is not saved.
    """
    import typing

    module: Any = typing
    check = getattr(module, "_type_check", None)
    if check is None or check.__module__ == __name__:
        return

    def check_unless_text(arg: Any, *more: Any, **named: Any) -> Any:
        is_of_field = bool(more) and type(more[0]) is str and more[0].startswith(_OF_A_FIELD)
        return arg if is_of_field and type(arg) is str else check(arg, *more, **named)

    module._type_check = check_unless_text
