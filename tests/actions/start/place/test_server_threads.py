"""The thread to go on with, where a server is named: our own turns on it tell, and the server itself in the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from codex_server_cli.actions.start import threads
from codex_server_cli.actions.start.options import GivenServer, ThreadChoice
from codex_server_cli.errors import BadInputError, UnknownThreadError, UsageError
from codex_server_cli.settings.places import Settings
from tests.kit.turns_on_disk import TurnsOnDisk

A, B, C, D = (f"01a1f9ff-9cbc-76c1-b5ee-b92ff9d7aa4{digit}" for digit in "0123")
SSH, UNIX, SHARED = GivenServer("ssh://host"), GivenServer("unix:///run/a.sock"), GivenServer("shared")


def record(url: str, path: str | None = None) -> dict[str, Any]:
    return {"url": url, "token_file": None, "token_env": None, "is_insecure": False, "path": path}


def last(settings: Settings, cwd: str, server: GivenServer | None = None) -> str:
    return threads.choose_last(settings, cwd, server).thread_id


@pytest.fixture
def here(tmp_path: Path) -> str:
    return str(tmp_path)


@pytest.fixture
def mixed(turns: TurnsOnDisk, here: str) -> TurnsOnDisk:
    """A turn of this directory on each kind of server, the newest of them last."""
    turns.complete(cwd=here, thread_id=A, codex_turn_id="a")
    turns.complete(cwd=here, thread_id=B, codex_turn_id="b", server=record("unix:///run/a.sock", "/run/a.sock"))
    turns.complete(cwd=here, thread_id=C, codex_turn_id="c", server=record("shared", "/run/g1.sock"))
    turns.complete(cwd=here, thread_id=D, codex_turn_id="d", server=record("ssh://host"))
    return turns


def test_last_is_of_the_server_that_is_given(settings: Settings, mixed: TurnsOnDisk, here: str) -> None:
    assert last(settings, here, UNIX) == B
    assert last(settings, here, SHARED) == C
    assert last(settings, here, SSH) == D
    assert last(settings, here, GivenServer("spawn")) == C  # the shared server's threads are ours


def test_without_one_a_turn_on_another_host_is_none_of_this_directory(
    settings: Settings, mixed: TurnsOnDisk, here: str
) -> None:
    found = threads.choose_last(settings, here)
    assert (found.thread_id, (found.server or {})["url"]) == (C, "shared")


def test_the_configured_server_is_meant_where_none_is_given(settings: Settings, mixed: TurnsOnDisk, here: str) -> None:
    settings.config_path.write_text(json.dumps({"server": "ssh://host"}))
    assert last(settings, here) == D
    with pytest.raises(UsageError, match="needs --cwd"):
        threads.choose_last(settings, None)


def test_a_server_without_a_turn_of_ours_here_has_no_last_thread(
    settings: Settings, mixed: TurnsOnDisk, here: str
) -> None:
    for server in (GivenServer("ssh://other"), GivenServer("unix:///run/b.sock")):
        with pytest.raises(BadInputError, match=f"no earlier turn in {here} on {server.url}") as caught:
            threads.choose_last(settings, here, server)
        assert "--thread" in caught.value.hint


def test_a_thread_of_another_server_needs_no_session_here(settings: Settings, mixed: TurnsOnDisk, here: str) -> None:
    assert threads.choose_by_id(settings, D, SSH) == ThreadChoice(D, here)
    unknown = D[:-1] + "9"
    assert threads.choose_by_id(settings, unknown.upper(), SSH) == ThreadChoice(unknown, None)
    assert threads.choose_by_id(settings, unknown, UNIX) == ThreadChoice(unknown, None)
    with pytest.raises(BadInputError, match="not the whole id of a thread: 'a name'") as caught:
        threads.choose_by_id(settings, "a name", SSH)
    assert "ssh://host" in caught.value.hint
    for server in (UNIX, SHARED):  # it may have our CODEX_HOME
        with pytest.raises(UnknownThreadError):
            threads.choose_by_id(settings, "abc", server)


def test_the_turn_that_is_continued_names_its_server(settings: Settings, mixed: TurnsOnDisk, here: str) -> None:
    newest = sorted(path.name for path in settings.turns_path.iterdir())[-1]
    found = threads.choose_by_turn(settings, newest, None)
    assert (found.thread_id, found.server) == (D, record("ssh://host"))
