"""A turn that may write leaves nothing in the project but what its commands made, however it ends.

Codex's sandbox makes `.git`, `.agents`, `.codex` and `.aws` while a command runs, and leaves them where that is killed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from codex_server_cli.demo.replies import reply, run_command, say
from tests.e2e.test_cancelling import DEADLINES_S, is_begun
from tests.kit.cases import in_full
from tests.kit.escalations import ASK, wait_for_request
from tests.kit.home import Home, Turn, await_sleeper, nap, start_sleeping
from tests.kit.support import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only bubblewrap needs mount targets")

WRITE = ("--write", "--skip-git-check")
TARGETS = {".git", ".agents", ".codex", ".aws"}


def names(*folders: Path) -> set[str]:
    """The hidden names in these folders."""
    return {path.name for folder in folders for path in folder.iterdir() if path.name.startswith(".")}


def _give_tmpdir(home: Home) -> Path:
    path = home.root / "tmp"
    path.mkdir()
    home.env["TMPDIR"] = str(path)
    return path


@pytest.fixture
def temporary(home: Home) -> Path:
    """A TMPDIR for a test with each codex: every writing turn may write there, too."""
    return _give_tmpdir(home)


@pytest.fixture
def one_temporary(one_home: Home) -> Path:
    """A TMPDIR for a test with one codex."""
    return _give_tmpdir(one_home)


def cancel(home: Home, turn: Turn) -> None:
    assert home.run("cancel", turn.id).json["state"] == "cancelled"


def kill_codex(_home: Home, turn: Turn) -> None:
    turn.app_server().kill()
    assert turn.wait()["error"]["kind"] == "codex_crashed"


def kill_worker(home: Home, turn: Turn) -> None:
    turn.kill_worker()
    wait_until(lambda: turn.status()["state"] == "abandoned", what="the repair")


@pytest.mark.parametrize("end", [cancel, in_full(kill_codex), in_full(kill_worker)])
def test_nothing_is_left_however_a_command_ends(home: Home, temporary: Path, end: Callable[[Home, Turn], None]) -> None:
    extra = home.root / "extra"
    extra.mkdir()
    turn, _ = start_sleeping(home, "touch made .hidden; {nap}", *WRITE, "--add-dir", str(extra))
    assert names(home.project) >= TARGETS
    assert names(extra) == TARGETS
    end(home, turn)
    assert names(home.project) == {".hidden"}
    assert names(extra, temporary) == set()
    assert (home.project / "made").exists()
    assert not (turn.path / "mounts.json").exists()


@pytest.mark.full
def test_a_deadline_and_a_command_in_the_background_leave_nothing_either(one_home: Home, one_temporary: Path) -> None:
    for deadline_s in DEADLINES_S:
        one_home.model([run_command(nap(one_home))])
        turn = one_home.start("new", "hi", *WRITE, "--deadline", str(deadline_s))
        has_run = is_begun(turn, nap(one_home))
        assert turn.wait()["error"]["kind"] == "deadline"
        assert names(one_home.project, one_temporary) == set()
        if has_run:
            break
    assert has_run
    one_home.model([reply(run_command(nap(one_home), yield_time_ms=250)), say("done")])
    turn = one_home.start("new", "hi", *WRITE)
    assert turn.wait()["state"] == "complete"
    assert names(one_home.project, one_temporary) == set()


def test_what_was_there_before_stays_as_it_was(one_home: Home, one_temporary: Path) -> None:
    (one_home.project / ".codex").mkdir()
    (one_home.project / ".git").write_text("gitdir: elsewhere\n")
    turn, _ = start_sleeping(one_home, "{nap}", *WRITE)
    cancel(one_home, turn)
    assert names(one_home.project) == {".codex", ".git"}
    assert names(one_temporary) == set()


@pytest.mark.full
def test_two_turns_in_one_project_leave_nothing_when_the_last_has_ended(one_home: Home, one_temporary: Path) -> None:
    sleep = nap(one_home)
    one_home.model([run_command(sleep), run_command(f"{sleep}1"), say("done")])
    first = one_home.start("new", "hi", *WRITE)
    await_sleeper(first, sleep)
    second = one_home.start("new", "hi", *WRITE)
    await_sleeper(second, f"{sleep}1")
    cancel(one_home, first)
    assert names(one_home.project) == TARGETS  # they protect the second turn's command
    cancel(one_home, second)
    assert names(one_home.project, one_temporary) == set()


DENY = """
[permissions.mine]
extends = ":workspace"
[permissions.mine.filesystem.":workspace_roots"]
"secret" = "deny"
"sub/.env" = "deny"
"""


def _start_beside_denied(home: Home, *options: str) -> Turn:
    """Start a turn; again where Codex's shields of denied files have raced with each other, as in 1 of 200 (both)."""
    turn = home.start("new", "hi", *options)
    wait_until(lambda: turn.is_ended or b"commandExecution" in turn.event_bytes, what="the command")
    is_race = turn.is_ended and "fs sandbox helper failed" in str(turn.result["error"])
    return _start_beside_denied(home, *options) if is_race else turn


@pytest.mark.parametrize(
    ("options", "end"),
    [(WRITE, cancel), (WRITE, kill_worker), (ASK, cancel)],
    ids=["cancel", "kill", "approved"],
)
@pytest.mark.full
def test_what_stands_for_a_denied_file_that_is_not_there_goes_too(
    home: Home, temporary: Path, options: tuple[str, ...], end: Callable[[Home, Turn], None]
) -> None:
    sleep, sub = nap(home), home.project / "sub"
    sub.mkdir()
    home.model([run_command(sleep, escalated=options is ASK), say("done")], extra_toml=DENY)
    config = home.codex_home / "config.toml"
    config.write_text('default_permissions = "mine"\n' + config.read_text())
    turn = _start_beside_denied(home, *options)
    if options is ASK:
        wait_for_request(home, turn)
        assert home.run("approve", turn.id).code == 0
    await_sleeper(turn, sleep)
    assert (home.project / "secret").is_file()
    assert (sub / ".env").is_file()
    end(home, turn)
    assert list(home.project.iterdir()) == [sub]
    assert list(sub.iterdir()) == []
    assert names(temporary) == set()
    assert not (turn.path / "mounts.json").exists()


def test_a_turn_that_may_not_write_takes_no_note(one_home: Home) -> None:
    turn, _ = start_sleeping(one_home, "{nap}")
    assert not (turn.path / "mounts.json").exists()
    cancel(one_home, turn)
    assert names(one_home.project) == set()
