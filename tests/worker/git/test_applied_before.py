"""Bringing back more of a worktree, onto what was brought back before and is not committed."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_server_cli.worker.git.merge import Brought, bring_back
from codex_server_cli.worker.git.target import DirtyError
from codex_server_cli.worker.git.worktree import make
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


def test_what_was_applied_and_thrown_away_does_not_come_again(repository: Repository, tree: Path) -> None:
    repository.write({"f.txt": "1\n2\n3\n4\nT\n", "new": "1\n"}, tree)
    bring_back(tree, repository.path)
    repository.git("checkout", "-q", "--", ".")
    (repository.path / "new").unlink()
    repository.write({"sub/a.txt": "T\n"}, tree)
    assert bring_back(tree, repository.path) == Brought((("sub/a.txt", "update"),))
    assert repository.status == [" M sub/a.txt"]


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
