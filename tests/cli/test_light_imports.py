"""What is made to cost less at each start is whole."""

from __future__ import annotations

import subprocess
import sys

import pytest

from codex_server_cli.settings import light_imports
from codex_server_cli.settings.environment import interpreter

PATHLIB = "import sys; from codex_server_cli.settings.light_imports import load_pathlib; load_pathlib()\n"
TYPING = "from codex_server_cli.settings.light_imports import load_typing; load_typing()\n"
TUPLES = """
from __future__ import annotations
from typing import Generic, NamedTuple, Optional, TypeVar, get_type_hints

T = TypeVar("T")

class Pair(NamedTuple):
    first: int
    second: str | None = None

class Box(Generic[T]):
    content: Optional["Pair"] = None

print(Pair(1), Pair.__annotations__)
print(get_type_hints(Pair), get_type_hints(Box))
"""


def lines(code: str) -> list[str]:
    run = subprocess.run(interpreter(code), capture_output=True, text=True, check=True)
    return run.stdout.splitlines()


def test_neither_urllib_nor_ipaddress_is_loaded_with_pathlib() -> None:
    code = "print(*(name for name in ('pathlib', 'urllib.parse', 'ipaddress') if name in sys.modules), sep='\\n')"
    assert lines(PATHLIB + code) == ["pathlib"]


@pytest.mark.parametrize("before", ["", "import pathlib\n", "import urllib.parse\n"])
def test_pathlib_is_whole_and_so_is_urllib_later(before: str) -> None:
    code = (
        "import pathlib; print(pathlib.Path('/a b').as_uri()); import urllib.parse; print(urllib.parse.unquote('%41'))"
    )
    assert lines(before + PATHLIB + code) == ["file:///a%20b", "A"]


def test_pathlib_is_left_alone_where_it_is_loaded_already() -> None:
    before = sys.modules["pathlib"]
    light_imports.load_pathlib()
    assert sys.modules["pathlib"] is before


def test_a_named_tuple_keeps_its_annotations_as_text_and_types_are_found_all_the_same() -> None:
    run = f"exec({TUPLES!r})"  # a future statement must be first
    shown, hints = lines(TYPING + run)
    assert shown == "Pair(first=1, second=None) {'first': 'int', 'second': 'str | None'}"
    assert hints == lines(run)[1]


def test_what_is_no_type_is_refused_as_ever() -> None:
    code = """from typing import ClassVar
try: ClassVar[ClassVar[int]]
except TypeError: print('refused')"""
    assert lines(TYPING + code) == ["refused"]


def test_it_is_lightened_once() -> None:
    code = "import typing; once = typing._type_check; load_typing(); print(typing._type_check is once)"
    assert lines(TYPING + code) == ["True"]


def test_another_typing_is_left_alone() -> None:
    code = "import typing; del typing._type_check; " + TYPING + "print(hasattr(typing, '_type_check'))"
    assert lines(code) == ["False"]
