"""A worktree of ours: made whole or not at all, held by those who work in it, and removed with all that is its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from codex_server_cli.disk import lock
from codex_server_cli.errors import BadInputError, ErrorKind
from codex_server_cli.worker.git import worktree
from codex_server_cli.worker.git.merge import bring_back
from codex_server_cli.worker.git.unused import Worktrees
from codex_server_cli.worker.git.worktree_content import WorktreeContent, look
from tests.kit.capabilities import without_powers
from tests.worker.git.conftest import Repository

TURN_ID = "20261120-165501-482-7f3a"


def test_one_that_was_made_begins_with_its_commit_and_is_unchanged(repository: Repository, tree: Path) -> None:
    assert worktree.is_whole(tree)
    assert look(tree).is_as_made
    assert worktree.refs_of(tree) == {"base": repository.head}
    assert repository.git("branch", "--show-current", cwd=tree) == "codex/t1"


@pytest.mark.parametrize("how", ["changed", "untracked", "deleted", "mode", "commit", "staged"])
def test_any_change_counts(repository: Repository, tree: Path, how: str) -> None:
    if how == "commit":
        repository.git("commit", "-q", "--allow-empty", "-m", "Empty", cwd=tree)
    elif how == "deleted":
        (tree / "keep").unlink()
    elif how == "mode":
        (tree / "keep").chmod(0o755)
    else:
        repository.write({"new" if how == "untracked" else "keep": "x\n"}, tree)
    if how == "staged":
        repository.git("add", "keep", cwd=tree)
        repository.write({"keep": "k\n"}, tree)
    assert not look(tree).is_as_made


def test_what_git_ignores_is_work_as_well(repository: Repository, tree: Path) -> None:
    repository.write({"a.log": "x\n", "folder/b.log": "x\n"}, tree)
    assert look(tree) == WorktreeContent(is_as_made=False, left=("a.log", "folder/b.log"))


def test_a_cache_is_no_work(repository: Repository, tree: Path) -> None:
    repository.write({".git/info/exclude": "out/\n.venv/\n*.pyc\nnode_modules/\nempty/\n"})
    files = {"sub/__pycache__/a.pyc": "x", "node_modules/m/index.js": "x", ".venv/pyvenv.cfg": "x", ".venv/bin/p": "x"}
    files |= {"out/node_modules/index.js": "x", ".c/.gitignore": "*\n", ".c/CACHEDIR.TAG": "x", ".c/v/data": "x"}
    repository.write(files, tree)
    (tree / "empty" / "er").mkdir(parents=True)
    assert look(tree) == WorktreeContent(is_as_made=True, left=())
    repository.write({"out/report.md": "r\n"}, tree)
    assert look(tree) == WorktreeContent(is_as_made=False, left=("out/",))


def test_an_ignored_folder_that_cannot_be_read_is_work(repository: Repository, tree: Path) -> None:
    repository.write({".git/info/exclude": "out/\n"})
    (tree / "out").mkdir()
    (tree / "out").chmod(0)
    with without_powers():
        assert look(tree).left == ("out/",)
    (tree / "out").chmod(0o700)


def test_a_repository_within_it_and_what_lies_in_a_submodules_folder_are_work(
    repository: Repository, tree: Path
) -> None:
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{repository.head},module")
    repository.git("commit", "-qm", "Module")
    repository.git("reset", "-q", "--hard", "main", cwd=tree)
    repository.git("update-ref", "refs/codex-server/t1/base", "main")
    assert look(tree).is_as_made
    (tree / "module" / "new").write_text("n\n")
    assert look(tree) == WorktreeContent(is_as_made=False, left=("module/",))
    subprocess.run(["git", "init", "-q", str(tree / "deep" / "inner")], check=True)
    assert look(tree).left == ("deep/inner/", "module/")


def test_a_removed_one_leaves_nothing(repository: Repository, tree: Path) -> None:
    worktree.remove(tree)
    assert repository.refs == {"refs/heads/main"}
    assert repository.worktrees == 1
    assert list(tree.parent.iterdir()) == []


@pytest.mark.parametrize("is_base_told", [True, False])
@pytest.mark.parametrize("is_merged", [True, False])
def test_a_branch_with_commits_that_no_other_has_stays(
    repository: Repository, tree: Path, is_base_told: bool, is_merged: bool
) -> None:
    base = repository.head
    repository.git("commit", "-q", "--allow-empty", "-m", "Work", cwd=tree)
    if is_merged:
        repository.git("merge", "-q", "codex/t1")
    worktree.remove(tree, base=base if is_base_told else None)
    assert repository.refs == {"refs/heads/main"} | (set() if is_merged else {"refs/heads/codex/t1"})
    assert not tree.exists()


def test_a_branch_that_the_user_has_checked_out_stays(repository: Repository, tree: Path) -> None:
    repository.git("checkout", "-q", "--detach", cwd=tree)
    repository.git("checkout", "-q", "codex/t1")
    worktree.remove(tree)
    assert repository.git("branch", "--show-current") == "codex/t1"
    assert not tree.exists()


@pytest.mark.parametrize("is_at", ["renamed", "unregistered"])
def test_one_whose_removal_was_cut_short_is_removed_by_the_next(repository: Repository, tree: Path, is_at: str) -> None:
    if is_at == "renamed":
        tree.rename(tree.with_name(f"{worktree.GONE}t1"))
        Worktrees(tree.parents[1]).remove_unused()
    else:
        repository.git("worktree", "remove", "--force", str(tree))
        worktree.remove(tree, repository.path)
    assert repository.refs == {"refs/heads/main"}
    assert repository.worktrees == 1
    assert list(tree.parent.iterdir()) == []


def test_a_failed_make_leaves_nothing_but_what_was_there(repository: Repository, tmp_path: Path) -> None:
    path = tmp_path / "worktrees" / "t2"
    path.parent.mkdir()
    repository.write({".gitattributes": "* filter=broken\n"})
    repository.commit("Filtered")
    repository.git("config", "filter.broken.smudge", "false")
    repository.git("config", "filter.broken.required", "true")
    with pytest.raises(BadInputError, match="git worktree: "):
        worktree.make(path, repository.path, repository.head, TURN_ID, is_again=False)
    assert not path.exists()
    assert repository.refs == {"refs/heads/main"}
    repository.git("branch", "codex/t2")
    with pytest.raises(BadInputError, match="already a branch"):
        worktree.make(path, repository.path, repository.head, TURN_ID, is_again=False)
    assert "refs/heads/codex/t2" in repository.refs


def test_a_full_disk_is_told_as_one(repository: Repository, tmp_path: Path) -> None:
    path = tmp_path / "worktrees" / "t2"
    path.parent.mkdir()
    repository.write({".gitattributes": "* filter=full\n"})
    repository.commit("Filtered")
    repository.git("config", "filter.full.smudge", "echo 'fatal: No space left on device' >&2; false")
    repository.git("config", "filter.full.required", "true")
    with pytest.raises(BadInputError) as failed:
        worktree.make(path, repository.path, repository.head, TURN_ID, is_again=False)
    assert failed.value.kind is ErrorKind.DISK


def test_one_that_was_begun_is_not_whole_and_one_without_a_repository_is_not_judged(
    repository: Repository, tree: Path
) -> None:
    repository.git("update-ref", "-d", "refs/codex-server/t1/base")
    assert not worktree.is_whole(tree)
    (tree / ".git").unlink()
    assert worktree.is_whole(tree)
    shutil.rmtree(tree)
    tree.mkdir()
    assert not worktree.is_whole(tree)


def test_the_repository_of_a_folder_above_is_never_taken_for_its_own(tree: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tree.parent)], check=True)
    (tree / ".git").unlink()
    with pytest.raises(BadInputError, match="not a git repository"):
        look(tree)


def test_those_who_work_in_it_keep_out_who_wants_it_alone(tree: Path) -> None:
    one, other = worktree.hold(tree, 0), worktree.hold(tree, 0)
    assert one is not None
    assert other is not None
    os.close(one)
    assert lock.try_acquire(worktree.lock_of(tree)) is None
    os.close(other)
    alone = lock.try_acquire(worktree.lock_of(tree))
    assert alone is not None
    assert worktree.hold(tree, 0) is None
    os.close(alone)


def test_only_what_is_unchanged_or_applied_may_go(repository: Repository, tree: Path) -> None:
    home, meta = tree.parents[1], {"worktree": {"path": str(tree), "repository": str(repository.path)}}
    assert not Worktrees(home).keeps(meta)
    repository.write({"new": "n\n"}, tree)
    assert Worktrees(home).keeps(meta)
    assert not Worktrees(home, is_asked=True).keeps(meta)
    assert Worktrees(home).remove_unused() == 0
    bring_back(tree, repository.path)
    assert Worktrees(home).remove_unused() == 0  # whose it is has gone: it may have been thrown away since
    worktrees = Worktrees(home)
    assert not worktrees.keeps(meta)
    assert worktrees.remove_unused() == 1
    assert list(tree.parent.iterdir()) == []


@pytest.mark.parametrize("how", ["ignored", "inner repository", "conflict", "thrown away", "detached"])
def test_one_that_alone_has_something_of_its_turns_stays_though_it_was_applied(
    repository: Repository, tree: Path, how: str
) -> None:
    repository.write({"new": "n\n", "bin": "\0theirs"}, tree)
    if how == "ignored":
        repository.write({"report.log": "r\n"}, tree)
    elif how == "inner repository":
        subprocess.run(["git", "init", "-q", str(tree / "inner")], check=True)
    elif how == "conflict":
        repository.write({"bin": "\0mine"})
        repository.commit("Mine")
    elif how == "detached":
        repository.git("checkout", "-q", "--detach", cwd=tree)
        repository.git("commit", "-q", "--allow-empty", "-m", "Work", cwd=tree)
    bring_back(tree, repository.path)
    if how == "thrown away":
        (repository.path / "new").unlink()
    meta = {"worktree": {"path": str(tree), "repository": str(repository.path)}}
    assert Worktrees(tree.parents[1]).keeps(meta)
    assert not Worktrees(tree.parents[1], is_asked=True).keeps(meta)


def test_one_that_a_turn_works_in_stays(tree: Path) -> None:
    held = worktree.hold(tree, 0)
    assert held is not None
    assert Worktrees(tree.parents[1], is_asked=True).remove_unused() == 0
    assert tree.exists()
    os.close(held)


def test_one_of_a_repository_that_is_gone_goes_only_when_asked(repository: Repository, tree: Path) -> None:
    shutil.rmtree(repository.path)
    assert Worktrees(tree.parents[1]).keeps({"worktree": {"path": str(tree)}})
    assert Worktrees(tree.parents[1]).remove_unused() == 0
    assert Worktrees(tree.parents[1], is_asked=True).remove_unused() == 1
    assert list(tree.parent.iterdir()) == []


def test_a_turn_without_one_is_never_kept_for_it(tmp_path: Path) -> None:
    for meta in ({}, {"worktree": None}, {"worktree": {"path": None}}, {"worktree": {"path": str(tmp_path / "none")}}):
        assert not Worktrees(tmp_path).keeps(meta)
    assert Worktrees(tmp_path).remove_unused() == 0


def test_of_one_that_the_user_has_removed_what_is_ours_goes_with_its_turn(repository: Repository, tree: Path) -> None:
    repository.git("worktree", "remove", "--force", str(tree))
    record = {"path": str(tree), "repository": str(repository.path), "base": repository.head}
    worktrees = Worktrees(tree.parents[1])
    assert not worktrees.keeps({"worktree": {**record, "is_removed": True}})
    assert worktrees.remove_unused() == 0
    assert "refs/codex-server/t1/base" in repository.refs
    assert not worktrees.keeps({"worktree": record})
    assert worktrees.remove_unused() == 0
    assert repository.refs == {"refs/heads/main"}


def test_a_copy_of_the_home_takes_nothing_from_the_original(repository: Repository, tree: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tree.parent, copy / "worktrees")
    refs = repository.refs
    for is_asked in (False, True):
        assert Worktrees(copy, is_asked=is_asked).remove_unused() == int(is_asked)
        assert repository.refs == refs
        assert worktree.is_whole(tree)
    assert list((copy / "worktrees").iterdir()) == []
