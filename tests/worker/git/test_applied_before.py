"""Bringing back more of a worktree, onto what was brought back before and is not committed."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_server_cli.worker.git.merge import Brought, bring_back, is_applied
from codex_server_cli.worker.git.target import DirtyError
from codex_server_cli.worker.git.worktree import make
from tests.kit.cases import in_full
from tests.worker.git.conftest import Repository


def test_what_was_applied_and_not_touched_since_is_no_work_of_the_users(repository: Repository, tree: Path) -> None:
    repository.write({"f.txt": "1\n2\n3\n4\nT\n", "new": "1\n", "other": "1\n"}, tree)
    (tree / "keep").unlink()
    bring_back(tree, repository.path)
    repository.git("add", "new")  # staged, as it was written
    repository.write({"f.txt": "T\n2\n3\n4\nT\n", "new": "2\n", "keep": "again\n"}, tree)
    brought = bring_back(tree, repository.path)
    assert brought == Brought((("f.txt", "update"), ("keep", "add"), ("new", "update")))
    assert (repository.path / "f.txt").read_text() == "T\n2\n3\n4\nT\n"
    assert (repository.path / "new").read_text() == "2\n"
    assert (repository.path / "keep").read_text() == "again\n"
    assert repository.git("show", ":new") == "1"
    (tree / "other").unlink()
    assert bring_back(tree, repository.path) == Brought((("other", "delete"),))
    assert not (repository.path / "other").exists()


def test_what_was_applied_and_changed_since_is(repository: Repository, tree: Path) -> None:
    repository.write({"f.txt": "T\n", "new": "1\n"}, tree)
    bring_back(tree, repository.path)
    repository.write({"new": "mine\n"})
    repository.write({"f.txt": "TT\n", "new": "2\n"}, tree)
    with pytest.raises(DirtyError) as refused:
        bring_back(tree, repository.path)
    assert refused.value.paths == ["new"]
    assert (repository.path / "f.txt").read_text() == "T\n"
    repository.git("add", "-A")
    repository.git("commit", "-qm", "Mine")
    brought = bring_back(tree, repository.path)
    assert brought.conflicts == ("new",)
    assert (repository.path / "f.txt").read_text() == "TT\n"


@pytest.mark.parametrize("how", ["discarded", *map(in_full, ("stashed", "committed and reset"))])
def test_what_was_applied_and_thrown_away_comes_again(repository: Repository, tree: Path, how: str) -> None:
    repository.write({"other": "o\n", "f.txt": "U\n2\n3\n4\n5\n"})
    repository.commit("Mine")
    repository.write({"f.txt": "1\n2\n3\n4\nT\n", "new": "1\n"}, tree)
    (tree / "keep").unlink()
    bring_back(tree, repository.path)
    repository.write({"sub/a.txt": "T\n"}, tree)
    bring_back(tree, repository.path)
    assert is_applied(tree, repository.path)
    if how == "discarded":
        repository.git("checkout", "-q", "--", ".")
        (repository.path / "new").unlink()
    elif how == "stashed":
        repository.git("stash", "-q", "-u")
    else:
        repository.commit("Applied")
        assert is_applied(tree, repository.path)
        repository.git("reset", "-q", "--hard", "HEAD~")
    assert not is_applied(tree, repository.path)
    repository.write({"more": "m\n"}, tree)
    again = bring_back(tree, repository.path)
    assert dict(again.changes) == {
        "f.txt": "update",
        "keep": "delete",
        "more": "add",
        "new": "add",
        "sub/a.txt": "update",
    }
    assert (repository.path / "f.txt").read_text() == "U\n2\n3\n4\nT\n"
    assert is_applied(tree, repository.path)


def test_a_part_that_was_thrown_away_comes_again_alone(repository: Repository, tree: Path) -> None:
    repository.write({"f.txt": "T\n", "new": "1\n"}, tree)
    bring_back(tree, repository.path)
    (repository.path / "new").unlink()
    assert bring_back(tree, repository.path) == Brought((("new", "add"),))


def test_what_the_user_has_made_of_it_since_is_not_thrown_away(repository: Repository, tree: Path) -> None:
    repository.write({"f.txt": "T\n", "new": "1\n", "more": "m\n"}, tree)
    bring_back(tree, repository.path)
    repository.write({"f.txt": "TT\n"})
    repository.commit("Applied, and changed")
    repository.write({"new": "2\n", "more": "2\n"})
    (repository.path / "keep").unlink()
    assert is_applied(tree, repository.path)
    assert not bring_back(tree, repository.path).is_new
    repository.git("rm", "-q", "--force", "more")
    repository.commit("Without more")
    assert is_applied(tree, repository.path) is False  # as it was before it was applied


def test_a_conflict_that_was_thrown_away_is_told_again(repository: Repository, tree: Path) -> None:
    repository.write({"f.txt": "U\n"})
    repository.commit("Mine")
    repository.write({"f.txt": "T\n"}, tree)
    first = bring_back(tree, repository.path)
    assert not bring_back(tree, repository.path).is_new
    repository.git("checkout", "-q", "--", ".")
    assert bring_back(tree, repository.path) == first == Brought((("f.txt", "update"),), ("f.txt",))


def test_a_repository_with_longer_ids_is_no_exception(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "long", object_format="sha256")
    path = tmp_path / "worktrees" / "t1"
    path.parent.mkdir()
    make(path, repository.path, repository.head, "20261120-165501-482-7f3a", is_again=False)
    repository.write({"f.txt": "T\n", "new": "1\n"}, path)
    repository.write({"f.txt": "U\n"})
    repository.commit("Mine")
    assert bring_back(path, repository.path).conflicts == ("f.txt",)
    repository.write({"new": "mine\n"})
    repository.write({"new": "2\n"}, path)
    with pytest.raises(DirtyError):
        bring_back(path, repository.path)
