"""An app-server that cannot be started: why, and whether to retry."""

from __future__ import annotations

import ctypes
import select
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from codex_server_cli.codex.transport.spawned import AppServer
from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.errors import ErrorKind
from codex_server_cli.worker.codex_process import CodexProcess, StartError
from tests.kit.support import DEADLINE_S


@pytest.fixture(autouse=True)
def undone() -> Iterator[None]:
    """Undoes what a worker does to its own process: it reaps every child, and adopts orphans."""
    previous = signal.getsignal(signal.SIGCHLD)
    yield
    signal.signal(signal.SIGCHLD, previous)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(36, 0, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def _failure(codex: Path, cwd: Path) -> StartError:
    codex_process = CodexProcess(codex, TurnRequest("", str(cwd)))
    with pytest.raises(StartError) as caught:
        codex_process.start()
    assert (codex_process.link, codex_process.stderr_tail()) == (None, "")
    codex_process.close()
    return caught.value


def test_a_codex_that_is_just_being_written_is_worth_another_attempt(tmp_path: Path) -> None:
    codex = tmp_path / "codex"
    shutil.copyfile("/bin/sh", codex)
    codex.chmod(0o755)
    with codex.open("r+b"):
        failure = _failure(codex, tmp_path)
    assert failure.is_passing
    assert "Text file busy" in failure.error.message


def test_a_codex_that_is_gone_is_not(tmp_path: Path) -> None:
    failure = _failure(tmp_path / "codex", tmp_path)
    assert (failure.error.kind, failure.is_passing) == (ErrorKind.CODEX_MISSING, False)


def test_a_directory_that_is_gone_is_named_as_the_cause(tmp_path: Path) -> None:
    failure = _failure(Path("/bin/sh"), tmp_path / "gone")
    assert (failure.error.kind, failure.is_passing) == (ErrorKind.BAD_INPUT, False)


@pytest.mark.parametrize(
    ("end", "reported"), [("kill -9 $$", "(signal 9)"), ("exit 3", "(exit code 3): ERROR of another matter")]
)
def test_who_was_killed_is_quoted_on_nothing(tmp_path: Path, end: str, reported: str) -> None:
    codex = tmp_path / "codex"
    codex.write_text(f"#!/bin/sh\necho ERROR of another matter >&2\n{end}\n")
    codex.chmod(0o755)
    codex_process = CodexProcess(codex, TurnRequest("", str(tmp_path)))
    server = codex_process.start()
    assert isinstance(server, AppServer)
    assert server.exit_fd is not None
    assert select.select([server.exit_fd], [], [], DEADLINE_S)[0]
    error, _ = codex_process.end(server)
    assert (error.kind, error.message) == (
        ErrorKind.CODEX_CRASHED,
        f"codex app-server ended before the turn did {reported}",
    )
    assert "ERROR of another matter" in codex_process.stderr_tail()
