"""Where a turn may write without further consent: git itself is asked, no name is trusted."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from codex_server_cli.actions.start import checks
from codex_server_cli.core.model.request import Sandbox
from codex_server_cli.errors import BadInputError
from codex_server_cli.worker.git import git
from tests.kit.support import DEADLINE_S, make_repository


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep git from searching above the test's own directory."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))


def run_git(cwd: Path, *arguments: str) -> None:
    """Run git with an identity."""
    identity = ["-c", "user.name=Dev", "-c", "user.email=dev@example.com", "-c", "protocol.file.allow=always"]
    subprocess.run(["git", *identity, *arguments], cwd=cwd, capture_output=True, check=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a commit."""
    path = tmp_path / "repository"
    path.mkdir()
    run_git(path, "init", "-q", "-b", "main")
    run_git(path, "commit", "-q", "--allow-empty", "-m", "First")
    return path


def assert_refused(*places: Path, reason: str = "") -> str:
    """The hint of the refusal, which names the last of the paths."""
    with pytest.raises(BadInputError) as caught:
        checks.check_git(*map(str, places))
    message = f"{places[-1]} is in no git work tree, so writing could not be undone"
    assert caught.value.message.startswith(f"{message}: {reason}" if reason else message)
    if not reason:
        assert caught.value.message == message
    return caught.value.hint


def test_writing_is_allowed_anywhere_in_a_work_tree(repository: Path, tmp_path: Path) -> None:
    below = repository / "src" / "deep"
    below.mkdir(parents=True)
    (tmp_path / "link").symlink_to(below)
    run_git(repository, "worktree", "add", "-q", "../second")
    run_git(repository, "submodule", "--quiet", "add", str(repository), "sub")
    for place in (repository, below, tmp_path / "link", tmp_path / "second", repository / "sub"):
        checks.check_git(str(place))


def test_a_repository_without_a_commit_has_a_work_tree(tmp_path: Path) -> None:
    make_repository(tmp_path)
    checks.check_git(str(tmp_path))


def test_outside_of_one_writing_is_refused_with_the_way_out(tmp_path: Path) -> None:
    assert "--skip-git-check" in assert_refused(tmp_path)


@pytest.mark.parametrize("where", ["", "above"])
def test_an_empty_directory_of_that_name_is_no_repository(tmp_path: Path, where: str) -> None:
    place = tmp_path / "above" / "project"
    place.mkdir(parents=True)
    (tmp_path / "above" / ("project" if not where else "") / ".git").mkdir()
    assert_refused(place)


@pytest.mark.parametrize("content", ["gitdir: nowhere", "", "something else"])
def test_a_file_of_that_name_which_leads_nowhere_is_none_either(tmp_path: Path, content: str) -> None:
    (tmp_path / ".git").write_text(content)
    with pytest.raises(BadInputError, match="in no git work tree"):
        checks.check_git(str(tmp_path))


def test_gits_own_directory_and_a_bare_repository_are_no_work_trees(repository: Path, tmp_path: Path) -> None:
    assert_refused(repository / ".git", reason="it is git's own directory")
    (tmp_path / "bare").mkdir()
    run_git(tmp_path / "bare", "init", "-q", "--bare")
    assert_refused(tmp_path / "bare", reason="it is bare")


def test_what_git_may_not_look_beyond_it_is_not_asked_to(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / "src").mkdir()
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(repository))
    assert_refused(repository / "src")


def test_a_repository_of_somebody_else_that_git_does_not_trust_is_refused(repository: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a directory away")
    for path in (repository, repository / ".git"):
        os.chown(path, 65534, 65534)
    hint = assert_refused(repository, reason="detected dubious ownership")
    assert "safe.directory" not in hint


def test_another_repository_in_the_environment_is_not_asked(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(repository / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path))
    assert_refused(tmp_path)
    (tmp_path / "other").mkdir()
    make_repository(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "gone"))
    checks.check_git(str(tmp_path / "other"))


def test_each_directory_that_is_opened_by_name_is_asked_about(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "extra").mkdir()
    assert checks.check_add_dirs((str(tmp_path / "extra"),), Sandbox.WORKSPACE_WRITE) == (str(tmp_path / "extra"),)
    assert_refused(repository, tmp_path / "extra")


def test_without_git_nothing_tells(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BadInputError, match=r"^there is no git to ask, so it is not known") as caught:
        checks.check_git(str(repository))
    assert caught.value.hint == "Install git."


def test_a_git_that_hangs_is_ended_with_what_it_started(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    wrapper = tmp_path / "bin" / "git"
    wrapper.write_text("#!/bin/sh\nsleep 600\nexit 1\n")  # the shell's child holds the pipes, too
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:/usr/bin:/bin")
    monkeypatch.setattr(git, "TIMEOUT_S", 0.2)
    started = time.monotonic()
    with pytest.raises(BadInputError, match="git does not answer"):
        checks.check_git(str(repository))
    assert time.monotonic() - started < DEADLINE_S  # it sleeps for 600
