"""`pathlib` is loaded without what takes longer than itself, and is whole."""

from __future__ import annotations

import subprocess
import sys

import pytest

from codex_server_cli.settings.environment import interpreter

LOAD = "from codex_server_cli.settings.light_pathlib import load; load(); import sys\n"


def lines(code: str) -> list[str]:
    run = subprocess.run(interpreter(code), capture_output=True, text=True, check=True)
    return run.stdout.splitlines()


def test_neither_urllib_nor_ipaddress_is_loaded_with_it() -> None:
    code = "print(*(name for name in ('pathlib', 'urllib.parse', 'ipaddress') if name in sys.modules), sep='\\n')"
    assert lines(LOAD + code) == ["pathlib"]


@pytest.mark.parametrize("before", ["", "import pathlib\n", "import urllib.parse\n"])
def test_it_is_whole_and_so_is_urllib_later(before: str) -> None:
    code = (
        "import pathlib; print(pathlib.Path('/a b').as_uri()); import urllib.parse; print(urllib.parse.unquote('%41'))"
    )
    assert lines(before + LOAD + code) == ["file:///a%20b", "A"]


def test_it_does_nothing_where_it_is_loaded_already() -> None:
    from codex_server_cli.settings.light_pathlib import load

    before = sys.modules["pathlib"]
    load()
    assert sys.modules["pathlib"] is before
