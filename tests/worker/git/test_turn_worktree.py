"""A turn's way into its worktree and out of it, with what stands in the way."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from codex_server_cli.disk import lock
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import BadInputError, HomeError
from codex_server_cli.worker.git import turn_worktree, worktree
from codex_server_cli.worker.git.unused import Worktrees
from codex_server_cli.worker.git.worktree_content import look
from tests.kit.capabilities import without_powers
from tests.worker.git.conftest import Repository

TURN_ID = "20261120-165501-482-7f3a"


class Entering:
    """One turn of a home, and what was saved of its `meta.json`."""

    def __init__(self, home: Path, repository: Repository, prefix: str = "", turn_id: str = TURN_ID) -> None:
        self.directory = TurnDir(home / "turns" / turn_id)
        self.saved: list[dict[str, Any]] = []
        record: dict[str, Any] = {"repository": str(repository.path), "prefix": prefix, "base": repository.head}
        record |= {"started_in": str(repository.path / prefix), "name": "n", "path": None, "branch": None}
        self.meta: dict[str, Any] = {"worktree": record | {"is_removed": False}, "cwd": str(repository.path)}

    def enter(self) -> int:
        return turn_worktree.enter(self.directory, self.meta, lambda meta: self.saved.append(dict(meta)))

    @property
    def path(self) -> Path:
        return Path(self.meta["worktree"]["path"])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return home


def test_the_place_is_recorded_before_it_is_made_and_the_directory_after(home: Path, repository: Repository) -> None:
    turn = Entering(home, repository, "new folder/")
    fd = turn.enter()
    before, after = turn.saved
    assert (before["cwd"], before["worktree"]["is_removed"]) == (str(repository.path), True)
    assert before["worktree"]["path"] == after["worktree"]["path"] == str(home / "worktrees" / "n")
    assert after["cwd"] == str(home / "worktrees" / "n" / "new folder")
    assert Path(after["cwd"]).is_dir()
    assert turn_worktree.leave(turn.meta, fd)
    assert turn.meta["worktree"]["is_removed"]
    assert list((home / "worktrees").iterdir()) == []


def test_a_name_that_another_turn_has_is_refused_and_that_ones_stays(home: Path, repository: Repository) -> None:
    fd = Entering(home, repository).enter()
    second = Entering(home, repository, turn_id="20261120-165502-482-7f3a")
    with pytest.raises(BadInputError, match="already a worktree n"):
        second.enter()
    assert worktree.is_whole(second.path)
    os.close(fd)


def test_a_folder_of_the_users_that_is_in_the_way_is_left_alone(home: Path, repository: Repository) -> None:
    (home / "worktrees" / "n").mkdir(parents=True)
    (home / "worktrees" / "n" / "mine").touch()
    with pytest.raises(BadInputError, match="in the way"):
        Entering(home, repository).enter()
    assert [path.name for path in (home / "worktrees").iterdir()] == ["n"]
    assert repository.refs == {"refs/heads/main"}


def test_two_turns_share_one_and_the_last_removes_it(home: Path, repository: Repository) -> None:
    first = Entering(home, repository)
    fd = first.enter()
    second = Entering(home, repository)
    second.meta = dict(first.meta)
    other = second.enter()
    assert not turn_worktree.leave(first.meta, fd)
    assert first.path.exists()
    assert turn_worktree.leave(second.meta, other)
    assert not first.path.exists()


def test_what_a_killed_maker_left_is_made_anew_by_the_next(home: Path, repository: Repository) -> None:
    first = Entering(home, repository)
    os.close(first.enter())
    repository.git("update-ref", "-d", "refs/codex-server/n/base")
    (first.path / "keep").unlink()
    os.close(first.enter())
    assert (first.path / "keep").exists()
    assert look(first.path).is_as_made


def test_one_that_the_user_has_removed_meanwhile_is_not_said_to_be_unchanged(
    home: Path, repository: Repository
) -> None:
    turn = Entering(home, repository)
    fd = turn.enter()
    repository.git("worktree", "remove", "--force", str(turn.path))
    assert not turn_worktree.leave(turn.meta, fd)
    assert not turn.meta["worktree"]["is_removed"]
    worktrees = Worktrees(home)
    assert not worktrees.keeps(turn.meta)
    worktrees.remove_unused()
    assert repository.refs == {"refs/heads/main"}
    assert list((home / "worktrees").iterdir()) == []


@pytest.mark.parametrize("is_separate", [False, True])
def test_one_that_a_turn_has_made_a_repository_of_its_own_stays(
    home: Path, repository: Repository, tmp_path: Path, is_separate: bool
) -> None:
    turn = Entering(home, repository)
    fd = turn.enter()
    (turn.path / ".git").unlink()
    repository.git("init", "-q", *((f"--separate-git-dir={tmp_path}/else",) if is_separate else ()), cwd=turn.path)
    repository.write({"x": "x\n"}, turn.path)
    assert not turn_worktree.leave(turn.meta, fd)
    assert (turn.path / "x").exists()
    assert Worktrees(home).keeps(turn.meta)
    assert not Worktrees(home, is_asked=True).keeps(turn.meta)
    assert Worktrees(home, is_asked=True).remove_unused() == 1
    assert not turn.path.exists()


def test_git_that_hangs_holds_the_end_up_no_longer_than_it_may(
    home: Path, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = Entering(home, repository)
    fd = turn.enter()
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nsleep 60\n")
    slow.chmod(0o755)
    with monkeypatch.context() as patched:
        patched.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
        started_s = time.monotonic()
        assert not turn_worktree.leave(turn.meta, fd, timeout_s=0.3)
        assert not worktree.remove(turn.path, repository.path, until_s=time.monotonic() + 0.3)
        assert time.monotonic() - started_s < 30  # of the minute that git would take
    assert not turn.path.exists()
    assert "refs/codex-server/n/base" in repository.refs
    worktrees = Worktrees(home)
    assert not worktrees.keeps(turn.meta)
    worktrees.remove_unused()
    assert repository.refs == {"refs/heads/main"}
    assert repository.worktrees == 1


def test_the_repairer_removes_what_a_killed_maker_left(home: Path, repository: Repository) -> None:
    turn = Entering(home, repository)
    os.close(turn.enter())
    repository.git("update-ref", "-d", "refs/codex-server/n/base")
    turn.directory.path.mkdir(parents=True)
    turn_worktree.clean_up(turn.directory, turn.meta)
    assert not turn.path.exists()
    assert repository.refs == {"refs/heads/main"}
    assert '"is_removed": true' in turn.directory.meta.read_text()


def test_a_worktree_of_a_repository_that_is_gone_stays(home: Path, repository: Repository) -> None:
    turn = Entering(home, repository)
    fd = turn.enter()
    repository.path.rename(repository.path.with_name("moved"))
    assert not turn_worktree.leave(turn.meta, fd)
    assert (turn.path / "keep").exists()
    assert lock.try_acquire(worktree.lock_of(turn.path)) is not None


def test_a_directory_that_is_a_link_in_the_commit_leads_nowhere_else(
    home: Path, repository: Repository, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (repository.path / "out").symlink_to(tmp_path / "elsewhere")
    repository.commit("Linked")
    turn = Entering(home, repository, "out/")
    with pytest.raises(BadInputError, match="leads out of the worktree"):
        turn.enter()
    assert repository.refs == {"refs/heads/main"}
    assert not turn.path.exists()


def test_a_home_that_cannot_be_written_is_told(home: Path, repository: Repository) -> None:
    home.chmod(0o500)
    with without_powers(), pytest.raises(HomeError, match="cannot make the worktree"):
        Entering(home, repository).enter()
    home.chmod(0o700)
    assert repository.refs == {"refs/heads/main"}
