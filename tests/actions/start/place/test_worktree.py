"""What is checked of a worktree before its turn exists: nothing is made, and the first line says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_server_cli.actions.start.options import StartOptions
from codex_server_cli.actions.start.place.worktree import choose
from codex_server_cli.errors import BadInputError
from codex_server_cli.settings.places import Settings
from tests.worker.git.conftest import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


def chosen(settings: Settings, place: Path, name: str | None = None) -> tuple[object, tuple[str, ...]]:
    return choose(settings, StartOptions("hi", has_worktree=True, worktree_name=name), None, str(place))


def test_what_is_recorded_names_the_repository_and_its_last_commit(settings: Settings, repository: Repository) -> None:
    record, warnings = chosen(settings, repository.path / "sub")
    assert record == {
        "repository": str(repository.path),
        "prefix": "sub/",
        "base": repository.head,
        "started_in": str(repository.path / "sub"),
        "name": None,
        "path": None,
        "branch": None,
        "is_removed": False,
    }
    assert warnings == ()
    assert not settings.home.exists()


def test_uncommitted_changes_are_told_once(settings: Settings, repository: Repository) -> None:
    repository.write({"new": "n\n"})
    _, (warning,) = chosen(settings, repository.path)
    assert warning == f"what is uncommitted in {repository.path} is not in the worktree: it begins with the last commit"


def test_a_directory_that_can_have_none_is_refused(settings: Settings, repository: Repository, tmp_path: Path) -> None:
    bare, empty = tmp_path / "bare.git", tmp_path / "empty"
    repository.git("clone", "-q", "--bare", str(repository.path), str(bare))
    repository.git("init", "-q", str(empty))
    for place, words in (
        (tmp_path, "not a git repository"),
        (bare, "it is bare"),
        (repository.path / ".git", "it is git's own directory"),
        (empty, "no commit yet"),
    ):
        with pytest.raises(BadInputError, match=words) as refused:
            chosen(settings, place)
        assert "--worktree" in refused.value.hint


@pytest.mark.parametrize("name", ["", "1st", "a/b", "../x", "a..b", "x.lock", "x.", "last", "a b", "-x", "ü"])
def test_a_name_that_cannot_be_a_branch_and_a_folder_is_refused(
    settings: Settings, repository: Repository, name: str
) -> None:
    with pytest.raises(BadInputError, match="not a name of a worktree"):
        chosen(settings, repository.path, name)


def test_a_name_that_is_taken_is_refused(settings: Settings, repository: Repository) -> None:
    repository.git("branch", "codex/branch")
    (settings.home / "worktrees" / "folder").mkdir(parents=True)
    for name, words in (("branch", "already a branch codex/branch"), ("folder", "already a worktree folder")):
        with pytest.raises(BadInputError, match=words):
            chosen(settings, repository.path, name)
    chosen(settings, repository.path, "free")


def test_a_branch_named_codex_leaves_no_room(settings: Settings, repository: Repository) -> None:
    repository.git("branch", "codex")
    with pytest.raises(BadInputError, match="a branch named codex"):
        chosen(settings, repository.path)
