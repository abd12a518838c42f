"""What stands in the way of writing into the user's work tree, and what only seems to."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_server_cli.errors import BadInputError
from codex_server_cli.worker.git import worktree
from codex_server_cli.worker.git.merge import Brought, bring_back, is_applied
from codex_server_cli.worker.git.target import DirtyError
from tests.worker.git.conftest import Repository


@pytest.fixture
def other(repository: Repository, tree: Path) -> Path:
    """The worktree of another turn."""
    path = tree.with_name("t2")
    worktree.make(path, repository.path, repository.head, "20261120-165502-482-7f3a", is_again=False)
    return path


@pytest.mark.parametrize("flag", ["--skip-worktree", "--assume-unchanged"])
def test_uncommitted_work_is_seen_where_git_was_told_not_to_look(repository: Repository, tree: Path, flag: str) -> None:
    repository.write({"f.txt": "T\n", "new": "n\n"}, tree)
    repository.git("update-index", flag, "f.txt")
    repository.write({"f.txt": "mine\n"})
    with pytest.raises(DirtyError) as refused:
        bring_back(tree, repository.path)
    assert refused.value.paths == ["f.txt"]
    assert not (repository.path / "new").exists()


def test_a_branch_without_a_commit_is_told(repository: Repository, tree: Path) -> None:
    repository.write({"f.txt": "T\n"}, tree)
    repository.git("checkout", "-q", "--orphan", "empty")
    with pytest.raises(BadInputError, match="has no commit yet") as refused:
        bring_back(tree, repository.path)
    assert refused.value.hint is not None


def test_a_failure_is_told_by_the_command_of_git(repository: Repository, tree: Path) -> None:
    repository.write({"f.txt": "T\n"}, tree)
    (repository.path / ".git" / "index").write_bytes(b"no index")
    with pytest.raises(BadInputError, match=r"^git ls-files: "):
        bring_back(tree, repository.path)


def test_the_complaint_of_git_about_the_repository_is_told(
    repository: Repository, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    with pytest.raises(BadInputError, match="there is no git") as refused:
        bring_back(tree, repository.path)
    assert refused.value.hint == f"What the turn wrote is in {tree}."


def test_a_split_index_gets_no_more_files(repository: Repository, tree: Path) -> None:
    repository.git("config", "core.splitIndex", "true")
    repository.git("update-index", "--split-index")
    before = sorted((repository.path / ".git").glob("sharedindex.*"))
    repository.write({"f.txt": "T\n"}, tree)
    bring_back(tree, repository.path)
    assert sorted((repository.path / ".git").glob("sharedindex.*")) == before


@pytest.mark.parametrize("is_changed_since", [False, True])
def test_one_that_was_killed_as_it_wrote_is_finished(
    repository: Repository, tree: Path, is_changed_since: bool
) -> None:
    repository.write({"f.txt": "T\n", "new.txt": "n\n", "sub/a.txt": "two\n"}, tree)
    repository.git("config", "filter.deadly.smudge", f"test $PWD = {repository.path} && kill -9 $PPID; cat")
    (repository.path / ".git" / "info" / "attributes").write_text("sub/a.txt filter=deadly\n")
    with pytest.raises(BadInputError, match="maybe not all files were written") as failed:
        bring_back(tree, repository.path)
    assert failed.value.hint == "The same command again writes the rest."
    (repository.path / ".git" / "info" / "attributes").unlink()
    (repository.path / "f.txt").unlink(missing_ok=True)  # as git does it before it writes one
    if is_changed_since:
        repository.write({"new.txt": "more\n"}, tree)
    bring_back(tree, repository.path)
    for name in ("f.txt", "new.txt", "sub/a.txt"):
        assert (repository.path / name).read_text() == (tree / name).read_text()
    assert is_applied(tree, repository.path)
    assert "refs/codex-server/t1/writing" not in repository.refs


@pytest.mark.full
def test_what_another_turn_has_written_is_no_work_of_the_users(repository: Repository, tree: Path, other: Path) -> None:
    repository.write({"f.txt": "T\n2\n3\n4\n5\n", "new": "1\n"}, tree)
    repository.write({"f.txt": "1\n2\n3\n4\nO\n", "sub/a.txt": "o\n"}, other)
    bring_back(tree, repository.path)
    assert dict(bring_back(other, repository.path).changes) == {"f.txt": "update", "sub/a.txt": "update"}
    assert (repository.path / "f.txt").read_text() == "T\n2\n3\n4\nO\n"
    repository.write({"f.txt": "T\n2\nT\n4\n5\n"}, tree)
    assert bring_back(tree, repository.path) == Brought((("f.txt", "update"),))
    assert (repository.path / "f.txt").read_text() == "T\n2\nT\n4\nO\n"
    assert is_applied(tree, repository.path)
    assert is_applied(other, repository.path)
    repository.write({"f.txt": "mine\n"})
    repository.write({"f.txt": "O\n"}, other)
    with pytest.raises(DirtyError):
        bring_back(other, repository.path)
    repository.git("checkout", "-q", "--", ".")
    assert not is_applied(other, repository.path)


def test_what_another_turn_has_changed_further_is_not_thrown_away(
    repository: Repository, tree: Path, other: Path
) -> None:
    repository.write({"f.txt": "T\n2\n3\n4\n5\n"}, tree)
    bring_back(tree, repository.path)
    repository.write({"f.txt": "1\n2\n3\n4\nO\n"}, other)
    bring_back(other, repository.path)
    repository.write({"f.txt": "O\n2\n3\n4\nO\n"}, other)
    assert bring_back(other, repository.path).conflicts == ("f.txt",)
    repository.write({"f.txt": "T\n2\n3\n4\nO\n"})
    repository.write({"keep": "T\n", "new": "n\n"}, tree)
    assert bring_back(tree, repository.path) == Brought((("keep", "update"), ("new", "add")))
    assert (repository.path / "f.txt").read_text() == "T\n2\n3\n4\nO\n"
