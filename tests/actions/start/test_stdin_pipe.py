"""Which process owns stdin, read from /proc. What that means for a command is in `tests/cli/test_piped`."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from codex_server_cli.actions.start import stdin_pipe
from codex_server_cli.actions.start.stdin_pipe import Writer, ancestors, reads_commands, writer_of_stdin
from tests.kit.cases import for_each


@for_each(
    "command",
    ["sh", "-bash", "/bin/bash -s", "bash -l -i", "bash -s one two", "bash -eu", "bash -o pipefail", "zsh -f", "sh -",
     "bash --rcfile /dev/null", "bash --norc --noprofile", "sh -eus one", "bash +x", "bash -O extglob -s x"],
)  # fmt: skip
def test_a_shell_without_a_script_reads_commands(command: str) -> None:
    assert reads_commands(shlex.split(command))


@for_each(
    "command",
    ["", "cat", "python3 -", "bash -c true", "sh -ec 'new x'", "bash script", "bash -x script", "sh -- script",
     "bash -o pipefail script", "bash --norc -c true", "bash -lc true", "/usr/bin/node bash", "zsh -fc x -s"],
)  # fmt: skip
def test_one_that_has_them_otherwise_does_not(command: str) -> None:
    assert not reads_commands(shlex.split(command))


def test_our_ancestors_begin_with_our_parent() -> None:
    above = ancestors()
    assert above[0] == os.getppid()
    assert len(set(above)) == len(above)


@for_each(("above", "writer"), [("ancestors()", Writer.CALLER), ("[]", Writer.SIBLING)], ids=["known", "of our parent"])
def test_who_holds_the_other_end(above: str, writer: Writer) -> None:
    code = f"from {stdin_pipe.__name__} import *; print(writer_of_stdin({above}).name)"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read().decode().strip() == writer.name


def test_without_proc_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    above = ancestors()
    for name in ("readlink", "listdir"):
        monkeypatch.setattr(os, name, refuse)
    assert writer_of_stdin(above) is Writer.UNKNOWN
    monkeypatch.setattr("builtins.open", refuse)
    assert ancestors() == []


def test_a_process_that_is_gone_holds_nothing(tmp_path: Path) -> None:
    assert not stdin_pipe._writes(2**30, "pipe:[1]")
    assert not stdin_pipe._is_near(2**30)
    assert stdin_pipe._arguments(2**30) == []
