"""Bringing the changes of a worktree back: what is written, what is refused, and what conflicts."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from codex_server_cli.errors import BadInputError
from codex_server_cli.worker.git.merge import Brought, bring_back, is_applied
from codex_server_cli.worker.git.target import DirtyError
from tests.worker.git.conftest import Repository


def test_what_was_changed_is_written_and_left_uncommitted(repository: Repository, tree: Path) -> None:
    head = repository.head
    repository.write({"sub/a.txt": "two\n", "new ü b.txt": "n\n", "dir/deep": "d\n", "built.log": "ignored\n"}, tree)
    (tree / "keep").unlink()
    (tree / "bin").write_bytes(b"\0\1\xff")
    (tree / "link").symlink_to("f.txt")
    (tree / "f.txt").chmod(0o755)
    brought = bring_back(tree, repository.path)
    assert brought.conflicts == ()
    assert dict(brought.changes) == {
        "sub/a.txt": "update",
        "new ü b.txt": "add",
        "dir/deep": "add",
        "keep": "delete",
        "bin": "add",
        "link": "add",
        "f.txt": "update",
    }
    assert repository.head == head
    place = repository.path
    assert (place / "sub/a.txt").read_text() == "two\n"
    assert (place / "new ü b.txt").read_text() == "n\n"
    assert (place / "bin").read_bytes() == b"\0\1\xff"
    assert (place / "link").readlink() == Path("f.txt")
    assert os.access(place / "f.txt", os.X_OK)
    assert not (place / "keep").exists()
    assert not (place / "built.log").exists()
    assert brought.left == ("built.log",)
    assert sorted(repository.status) == sorted(
        [" M f.txt", " D keep", " M sub/a.txt", "?? bin", "?? dir/deep", "?? link", "?? new ü b.txt"]
    )


def test_commits_in_the_worktree_are_brought_too(repository: Repository, tree: Path) -> None:
    repository.write({"c.txt": "committed\n"}, tree)
    repository.git("add", "-A", cwd=tree)
    repository.git("commit", "-qm", "Theirs", cwd=tree)
    repository.write({"u.txt": "not\n"}, tree)
    assert dict(bring_back(tree, repository.path).changes) == {"c.txt": "add", "u.txt": "add"}
    assert repository.git("log", "--format=%s") == "First"


def test_a_second_time_brings_only_what_is_new(repository: Repository, tree: Path) -> None:
    repository.write({"a.txt": "1\n"}, tree)
    bring_back(tree, repository.path)
    assert is_applied(tree, repository.path)
    assert bring_back(tree, repository.path) == Brought(is_new=False)
    repository.commit("Applied")
    repository.write({"b.txt": "2\n"}, tree)
    assert not is_applied(tree, repository.path)
    assert bring_back(tree, repository.path).changes == (("b.txt", "add"),)


def test_a_second_time_merges_what_was_changed_further(repository: Repository, tree: Path) -> None:
    repository.write({"f.txt": "1\nT\n3\n4\n5\n"}, tree)
    bring_back(tree, repository.path)
    repository.write({"f.txt": "1\nT\n3\n4\nU\n"})
    repository.commit("Applied, and more")
    repository.write({"f.txt": "0\n1\nT\n3\n4\n5\n"}, tree)
    assert bring_back(tree, repository.path).conflicts == ()
    assert (repository.path / "f.txt").read_text() == "0\n1\nT\n3\n4\nU\n"


def test_the_users_head_may_have_moved(repository: Repository, tree: Path) -> None:
    repository.write({"f.txt": "T\n2\n3\n4\n5\n"}, tree)
    repository.write({"f.txt": "1\n2\n3\n4\nU\n", "other": "o\n"})
    repository.commit("Mine")
    brought = bring_back(tree, repository.path)
    assert (repository.path / "f.txt").read_text() == "T\n2\n3\n4\nU\n"
    assert brought == Brought((("f.txt", "update"),))


def test_a_renamed_file_gets_the_users_changes(repository: Repository, tree: Path) -> None:
    (tree / "f.txt").rename(tree / "g.txt")
    repository.write({"f.txt": "1\n2\n3\n4\n5\n6\n"})
    repository.commit("Mine")
    assert dict(bring_back(tree, repository.path).changes) == {"f.txt": "delete", "g.txt": "add"}
    assert (repository.path / "g.txt").read_text() == "1\n2\n3\n4\n5\n6\n"


def test_conflicts_leave_markers_and_the_rest_is_written(repository: Repository, tree: Path) -> None:
    repository.write({"gone": "1\n2\n3\n", "changed": "1\n2\n3\n"})
    (repository.path / "bin").write_bytes(b"\0base")
    repository.commit("More")
    repository.git("reset", "-q", "--hard", "main", cwd=tree)
    repository.git("update-ref", "refs/codex-server/t1/base", "main")
    # the worktree's side
    repository.write({"f.txt": "1\n2\nT\n4\n5\n", "both": "theirs\n", "df/z": "z\n", "clean ü": "c\n"}, tree)
    (tree / "gone").unlink()
    repository.write({"changed": "1\nT\n3\n"}, tree)
    (tree / "bin").write_bytes(b"\0theirs")
    # the user's
    repository.write({"f.txt": "1\n2\nU\n4\n5\n", "both": "mine\n", "df": "f\n", "gone": "1\nU\n3\n"})
    (repository.path / "changed").unlink()
    (repository.path / "bin").write_bytes(b"\0mine")
    repository.commit("Mine")
    brought = bring_back(tree, repository.path)
    assert set(brought.conflicts) == {"f.txt", "both", "df", "gone", "changed", "bin"}
    place = repository.path
    assert (place / "f.txt").read_text() == "1\n2\n<<<<<<< HEAD\nU\n=======\nT\n>>>>>>> codex/t1\n4\n5\n"
    assert "<<<<<<<" in (place / "both").read_text()
    assert (place / "clean ü").read_text() == "c\n"
    assert (place / "gone").read_text() == "1\nU\n3\n"
    assert (place / "changed").read_text() == "1\nT\n3\n"
    assert (place / "bin").read_bytes() == b"\0mine"
    assert (place / "df/z").read_text() == "z\n"
    assert (place / "df~HEAD").read_text() == "f\n"
    assert repository.git("ls-files", "-u") == ""
    assert set(brought.left) == {"gone", "bin"}  # of which the user's side was kept, without markers
    assert not is_applied(tree, place)
    again = bring_back(tree, place)
    assert again == Brought(conflicts=again.conflicts, left=again.left)
    assert set(again.conflicts) == set(again.left) == {"gone", "bin"}
    shutil.copy(tree / "bin", place / "bin")  # theirs here
    shutil.copy(place / "gone", tree / "gone")  # and ours there
    repository.commit("Resolved")
    assert bring_back(tree, place) == Brought()
    assert is_applied(tree, place)
    assert not bring_back(tree, place).is_new


@pytest.mark.parametrize("how", ["changed", "staged", "staged away", "untracked", "ignored", "deleted", "folder"])
def test_a_file_with_uncommitted_work_is_refused_and_nothing_is_touched(
    repository: Repository, tree: Path, how: str
) -> None:
    repository.write({"f.txt": "T\n", "new.txt": "n\n", "new.log": "x\n", "sub/a.txt": "T\n"}, tree)
    repository.git("add", "-f", "new.log", cwd=tree)
    path = {"untracked": "new.txt", "ignored": "new.log", "folder": "new.txt"}.get(how, "f.txt")
    if how == "folder":
        repository.write({"new.txt/mine": "m\n"})
    elif how == "deleted":
        (repository.path / path).unlink()
    else:
        repository.write({path: "mine\n"})
    if how.startswith("staged"):
        repository.git("add", path)
    if how == "staged away":
        repository.write({"f.txt": "1\n2\n3\n4\n5\n"})
    before = repository.status
    with pytest.raises(DirtyError) as refused:
        bring_back(tree, repository.path)
    assert refused.value.paths == [path]
    assert repository.status == before
    assert (repository.path / "sub/a.txt").read_text() == "one\n"
    assert not is_applied(tree, repository.path)


def test_work_elsewhere_stays_as_it_is(repository: Repository, tree: Path) -> None:
    repository.write({"f.txt": "T\n"}, tree)
    repository.write({"sub/a.txt": "staged\n", "mine": "untracked\n"})
    repository.git("add", "sub/a.txt")
    repository.write({"sub/a.txt": "staged, and changed\n", "keep": "changed\n"})
    bring_back(tree, repository.path)
    assert sorted(repository.status) == [" M f.txt", " M keep", "?? mine", "MM sub/a.txt"]
    assert repository.git("show", ":sub/a.txt") == "staged"


def test_a_link_to_elsewhere_is_not_followed(repository: Repository, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (repository.path / "out").symlink_to(tmp_path / "elsewhere")
    repository.write({"out/new.txt": "n\n"}, tree)
    with pytest.raises(DirtyError):
        bring_back(tree, repository.path)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_file_becomes_a_folder_and_a_folder_a_file(repository: Repository, tree: Path) -> None:
    shutil.rmtree(tree / "sub")
    repository.write({"sub": "a file\n"}, tree)
    (tree / "keep").unlink()
    repository.write({"keep/in": "i\n"}, tree)
    bring_back(tree, repository.path)
    assert (repository.path / "sub").read_text() == "a file\n"
    assert (repository.path / "keep/in").read_text() == "i\n"


def test_one_that_was_killed_after_writing_is_finished(repository: Repository, tree: Path) -> None:
    repository.write({"f.txt": "T\n", "new.txt": "n\n"}, tree)
    (tree / "keep").unlink()
    repository.write({"f.txt": "T\n", "new.txt": "n\n"})  # as it left them
    brought = bring_back(tree, repository.path)
    assert dict(brought.changes) == {"f.txt": "update", "new.txt": "add", "keep": "delete"}
    assert not (repository.path / "keep").exists()
    assert is_applied(tree, repository.path)


def test_line_ends_are_those_that_the_repository_asks_for(repository: Repository, tree: Path) -> None:
    repository.write({".gitattributes": "*.eol text eol=crlf\n", "t.eol": "x\r\ny\r\nz\r\n", "raw": "a\r\nb\r\n"})
    repository.commit("Windows")
    repository.git("reset", "-q", "--hard", "main", cwd=tree)
    repository.git("update-ref", "refs/codex-server/t1/base", "main")
    repository.write({"t.eol": "X\r\ny\r\nz\r\n", "raw": "a\r\nB\r\n"}, tree)
    repository.write({"t.eol": "x\r\ny\r\nZ\r\n"})
    repository.commit("Mine")
    bring_back(tree, repository.path)
    assert (repository.path / "t.eol").read_bytes() == b"X\r\ny\r\nZ\r\n"
    assert (repository.path / "raw").read_bytes() == b"a\r\nB\r\n"


def test_a_repository_in_the_middle_of_a_merge_is_left_alone(repository: Repository, tree: Path) -> None:
    repository.write({"new.txt": "n\n"}, tree)
    (repository.path / ".git" / "MERGE_HEAD").write_text(f"{repository.head}\n")
    with pytest.raises(BadInputError, match="in the middle of a merge"):
        bring_back(tree, repository.path)


def test_a_repository_within_the_worktree_is_left_out_and_never_run_in(
    repository: Repository, tree: Path, tmp_path: Path
) -> None:
    inner = Repository(tree / "inner")
    inner.git("config", "core.fsmonitor", f"touch {tmp_path}/trapped")
    repository.write({"new.txt": "n\n"}, tree)
    assert bring_back(tree, repository.path) == Brought((("new.txt", "add"),), left=("inner/",))
    assert not is_applied(tree, repository.path)
    assert bring_back(tree, repository.path) == Brought(is_new=False, left=("inner/",))
    assert not (tmp_path / "trapped").exists()


def test_hooks_of_the_repository_are_not_run(repository: Repository, tree: Path, tmp_path: Path) -> None:
    for name in ("post-checkout", "post-index-change", "reference-transaction"):
        hook = repository.path / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/trapped\n")
        hook.chmod(0o755)
    repository.write({"new.txt": "n\n"}, tree)
    bring_back(tree, repository.path)
    assert not (tmp_path / "trapped").exists()


def test_a_split_index_and_a_sparse_checkout_are_no_obstacle(repository: Repository, tree: Path) -> None:
    repository.git("update-index", "--split-index")
    repository.git("sparse-checkout", "set", "--cone", "elsewhere")
    assert not (repository.path / "sub").exists()
    repository.write({"deep/d": "d\n", "f.txt": "T\n"}, tree)
    bring_back(tree, repository.path)
    assert (repository.path / "deep/d").read_text() == "d\n"
    assert (repository.path / "f.txt").read_text() == "T\n"
    assert not (repository.path / "sub").exists()


def test_a_file_that_changed_within_the_second_that_git_looked_at_it_is_seen(
    repository: Repository, tree: Path
) -> None:
    for text in ("a\n", "b\n", "c\n"):
        repository.write({"keep": text}, tree)
        repository.git("status", cwd=tree)
        bring_back(tree, repository.path)
        assert (repository.path / "keep").read_text() == text
        repository.commit(text)


def test_a_worktree_is_not_applied_to_another_repository(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="is not that of"):
        bring_back(tree, Repository(tmp_path / "another").path)
