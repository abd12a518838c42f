"""Why a shared app-server did not start: Codex's words of real failures, and what a user is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from codex_server_cli.codex.server.key import ServerKey
from codex_server_cli.codex.server.shared import ensure_shared
from codex_server_cli.codex.server.start_error import late, no_process, raise_start_error
from codex_server_cli.errors import (
    BadInputError,
    BusyError,
    CodexMissingError,
    CodexServerError,
    HomeError,
    InternalError,
    ServerError,
)
from tests.kit.cases import for_each
from tests.kit.processes import with_variable
from tests.kit.support import wait_until

KEY = ServerKey("/home/you/.codex", "/bin/sh", False, "0")
DIRECTORY = "/home/you/.codex-server/servers/00ff"
NOT_OURS = "Error: app-server socket directory must be a user-owned directory with mode 0700\n"
PARENT = (
    "Error: socket parent must be owned by the user or root and prevent other users from replacing socket entries\n"
)
CODEX_HOME = 'Error: CODEX_HOME points to "/nowhere", but that path does not exist\n'
CONFIG = "Error loading config.toml: config.toml:1:9: unclosed array\n"


@for_each(
    ("kind", "words", "error", "expected"),
    [
        ("exit", NOT_OURS, ServerError, f"chmod 700 /tmp/codex-daemon-{os.getuid()}"),
        ("exit", PARENT, ServerError, f"directories above {DIRECTORY}"),
        ("exit", CODEX_HOME, BadInputError, 'CODEX_HOME points to "/nowhere"'),
        ("exit", CONFIG, BadInputError, "unclosed array"),
        ("exit", "Error: something new\n", CodexMissingError, "did not start: something new"),
        ("exit", "", CodexMissingError, "it printed nothing"),
        ("silent", "", ServerError, "did not accept a connection in time"),
        ("disk", "/x/server.json: No space left on device", HomeError, "cannot use /x/server.json: No space left"),
        ("room", "Resource temporarily unavailable", BusyError, "ulimit"),
        ("", "Traceback\nMemoryError\n", InternalError, "keeper of the shared app-server could not start: MemoryError"),
    ],
)
def test_each_failure_has_its_words(kind: str, words: str, error: type[CodexServerError], expected: str) -> None:
    with pytest.raises(error) as caught:
        raise_start_error(kind, words, KEY, DIRECTORY)
    assert expected in f"{caught.value.message}\n{caught.value.hint}"


def test_a_codex_that_cannot_be_run_is_said() -> None:
    with pytest.raises(CodexMissingError, match=r"^/nowhere/codex cannot be run"):
        raise_start_error("exit", "", KEY._replace(codex="/nowhere/codex"), DIRECTORY)


def test_a_start_that_collided_with_another_is_tried_again() -> None:
    raise_start_error("exit", "Error: database is locked\n", KEY, DIRECTORY)


def test_a_system_that_starts_no_process_is_told_apart_from_a_defect() -> None:
    assert isinstance(no_process(OSError(11, "Resource temporarily unavailable")), BusyError)
    assert isinstance(no_process(OSError(2, "No such file or directory")), InternalError)
    assert "within 30 s" in late(DIRECTORY, 30.0).message


def test_a_codex_that_never_accepts_is_given_up_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEX_SERVER_HOME", str(tmp_path))
    codex = tmp_path / "codex"
    codex.write_text("#!/bin/sh\n[ $1 = --version ] || exec sleep 60\n")
    codex.chmod(0o755)
    with pytest.raises(ServerError, match="did not accept a connection in time"):
        ensure_shared(tmp_path, KEY._replace(codex=str(codex)), timeout_s=0.5)
    wait_until(lambda: not with_variable("CODEX_SERVER_HOME", str(tmp_path)), what="the end of keeper and codex")
    assert [path.name for path in (tmp_path / "servers").glob("*/*")] == ["server.log", "lock"]
