"""States of a work tree, taken without a change to its repository, and without running what it names."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from codex_server_cli.core.model.unified_diff import FileDiff, diff_text
from codex_server_cli.worker.git import tree_state
from codex_server_cli.worker.git.tree_state import SnapshotError, TreeState, copy_index, find_work_tree
from tests.kit.support import make_repository

USER = ("-c", "user.name=Dev", "-c", "user.email=dev@example.org")


def git(directory: Path, *arguments: str, stdin: bytes = b"") -> str:
    run = subprocess.run(["git", *USER, *arguments], cwd=directory, input=stdin, capture_output=True, check=False)
    assert run.returncode == 0, run
    return run.stdout.decode("utf-8", "replace")


def hash_of(directory: Path) -> str:
    """A digest of all that is in a repository: names, contents and times.

    Not those of objects and of a shared index: by these git notes that they are still wanted, whenever it reads them.
    """
    digest = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        info = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        is_kept = "objects" in path.parts or path.name.startswith("sharedindex.")
        time_ns = 0 if is_kept else info.st_mtime_ns
        digest.update(repr((str(path), info.st_mode, time_ns, content)).encode())
    return digest.hexdigest()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a commit, a staged, a changed, an untracked and an ignored file."""
    directory = tmp_path / "work: tree"  # a colon divides lists of git's
    make_repository(directory)
    for name in ("kept", "edited", "gone", "moved"):
        (directory / name).write_text("".join(f"{name} {number}\n" for number in range(9)))
    (directory / ".gitignore").write_text("*.log\n")
    git(directory, "add", "-A")
    git(directory, "commit", "-qm", "before")
    (directory / "staged").write_text("staged\n")
    git(directory, "add", "staged")
    (directory / "kept").write_text("changed by the user\n")
    (directory / "untracked").write_text("of the user\n")
    (directory / "x.log").write_text("ignored\n")
    return directory


class TreeDiff:
    """The state before, and what differs since."""

    def __init__(self, cwd: Path, folder: Path) -> None:
        self.deadline = time.monotonic() + 60
        self.tree = find_work_tree(str(cwd), self.deadline)
        folder.mkdir(parents=True)
        copy_index(self.tree, folder)
        self.state = TreeState(folder, self.tree, cwd / "home")
        self.before = self.state.write(self.deadline)

    def files(self) -> list[FileDiff]:
        return self.state.compare(self.before, self.state.write(self.deadline), self.deadline)

    def told(self) -> dict[str, tuple[str, int | None, int | None]]:
        return {file.path: (file.kind, file.added, file.removed) for file in self.files()}


@pytest.fixture
def take(tmp_path: Path) -> Callable[[Path], TreeDiff]:
    return lambda cwd: TreeDiff(cwd, tmp_path / "ours" / str(time.monotonic_ns()))


def test_what_changes_is_told_and_the_repository_stays_as_it_is(
    repository: Path, take: Callable[[Path], TreeDiff]
) -> None:
    before = hash_of(repository / ".git")
    taken = take(repository)
    assert taken.told() == {}
    with (repository / "edited").open("a") as file:
        file.write("more\n")
    (repository / "gone").unlink()
    (repository / "moved").rename(repository / "there")
    (repository / "new").write_bytes(b"\xff text\n")
    (repository / "bin").write_bytes(b"\0\1")
    (repository / "untracked").write_text("of a command\n")
    (repository / 'ü "b"\n\t').write_text("odd\n")
    (repository / "y.log").write_text("ignored\n")
    (repository / "edited").chmod(0o755)
    (repository / "link").symlink_to("nowhere")
    os.mkfifo(repository / "fifo")
    assert taken.told() == {
        "edited": ("update", 1, 0),
        "gone": ("delete", 0, 9),
        "there": ("move", 0, 0),
        "new": ("add", 1, 0),
        "bin": ("add", None, None),
        "untracked": ("update", 1, 1),
        'ü "b"\n\t': ("add", 1, 0),
        "link": ("add", 1, 0),
    }
    assert hash_of(repository / ".git") == before


def test_git_applies_what_is_told(repository: Path, take: Callable[[Path], TreeDiff], tmp_path: Path) -> None:
    taken = take(repository)
    (repository / "edited").write_bytes("".join(f"{number}\r\n" for number in range(9)).encode() + b"\xff")
    (repository / "bin").write_bytes(bytes(range(256)))
    (repository / "gone").unlink()
    (repository / "gone").mkdir()
    (repository / "gone" / "inner").write_text("a folder took the place of a file\n")
    text = diff_text(taken.files(), 1 << 20).encode("utf-8", "surrogateescape")
    after = hash_of(repository)
    copy = tmp_path / "copy"
    make_repository(copy)
    for name in ("edited", "gone"):
        (copy / name).write_text("".join(f"{name} {number}\n" for number in range(9)))
    git(copy, "apply", "-", stdin=text)
    for name in ("edited", "bin", "gone/inner"):
        assert (copy / name).read_bytes() == (repository / name).read_bytes()
    assert hash_of(repository) == after


def test_a_repository_without_a_commit_has_a_state_too(tmp_path: Path, take: Callable[[Path], TreeDiff]) -> None:
    make_repository(tmp_path / "young")
    taken = take(tmp_path / "young")
    (tmp_path / "young" / "a").mkdir()
    (tmp_path / "young" / "a" / "b").write_text("x\n")
    assert taken.told() == {"a/b": ("add", 1, 0)}


def test_a_file_that_may_not_be_read_stays_as_it_was(
    repository: Path, take: Callable[[Path], TreeDiff], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = take(repository)
    (repository / "edited").write_text("x\n")
    (repository / "gone").unlink()
    monkeypatch.setattr(os, "access", lambda *_arguments: False)  # root may read all
    assert taken.told() == {"gone": ("delete", 0, 9)}


def test_a_folder_that_became_a_symlink_has_lost_its_files(tmp_path: Path, take: Callable[[Path], TreeDiff]) -> None:
    top = tmp_path / "top"
    make_repository(top)
    (top / "d").mkdir()
    (top / "d" / "f").write_text("f\n")
    git(top, "add", "-A")
    taken = take(top)
    (top / "d").rename(tmp_path / "elsewhere")
    (top / "d").symlink_to(tmp_path / "elsewhere")
    assert taken.told() == {"d/f": ("delete", 0, 1), "d": ("add", 1, 0)}


def test_the_work_tree_is_found_from_below_and_through_a_symlink(
    repository: Path, tmp_path: Path, take: Callable[[Path], TreeDiff]
) -> None:
    inner = repository / "in" / "ner"
    inner.mkdir(parents=True)
    (tmp_path / "link").symlink_to(inner)
    taken = take(tmp_path / "link")
    assert taken.tree.top == str(repository)
    (repository / "above").write_text("x\n")
    assert taken.told() == {"above": ("add", 1, 0)}


def test_a_second_work_tree_has_its_own_index(
    repository: Path, tmp_path: Path, take: Callable[[Path], TreeDiff]
) -> None:
    git(repository, "worktree", "add", "-q", str(tmp_path / "second"))
    before = hash_of(repository / ".git")
    taken = take(tmp_path / "second")
    assert (tmp_path / "second" / "kept").read_text() == "kept 0\n" + "".join(f"kept {n}\n" for n in range(1, 9))
    (tmp_path / "second" / "new").write_text("x\n")
    assert taken.told() == {"new": ("add", 1, 0)}
    assert hash_of(repository / ".git") == before


def test_our_own_home_is_no_part_of_it(repository: Path, take: Callable[[Path], TreeDiff]) -> None:
    taken = take(repository)
    (repository / "home").mkdir()
    (repository / "home" / "events").write_text("x\n")
    (repository / "homely").write_text("x\n")
    assert taken.told() == {"homely": ("add", 1, 0)}


# --- what a repository may name is not run


def trap(path: Path, mark: Path) -> str:
    path.write_text(f"#!/bin/sh\ntouch '{mark}'\nexit 1\n")
    path.chmod(0o755)
    return str(path)


def test_no_hook_and_no_monitor_is_run_and_no_shared_index_is_written(
    repository: Path, tmp_path: Path, take: Callable[[Path], TreeDiff]
) -> None:
    git(repository, "update-index", "--split-index")
    mark = tmp_path / "mark"
    program = trap(tmp_path / "program", mark)
    hooks = repository / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    trap(hooks / "post-index-change", mark)
    for key, value in (("core.fsmonitor", program), ("core.splitIndex", "true"), ("core.untrackedCache", "true")):
        git(repository, "config", key, value)
    for key in ("diff.external", "diff.evil.command", "diff.evil.textconv"):
        git(repository, "config", key, program)
    (repository / ".gitattributes").write_text("* diff=evil\n")
    before = hash_of(repository / ".git")
    taken = take(repository)
    (repository / "edited").write_text("x\n")
    assert taken.told() == {"edited": ("update", 1, 9)}
    assert not mark.exists()
    assert hash_of(repository / ".git") == before


def test_no_filter_is_run_whenever_it_came(repository: Path, tmp_path: Path, take: Callable[[Path], TreeDiff]) -> None:
    mark = tmp_path / "mark"
    program = trap(tmp_path / "program", mark)
    git(repository, "config", "filter.old.name.clean", program)
    git(repository, "config", "filter.old.name.required", "true")
    (repository / ".gitattributes").write_text("edited filter=old.name\nnew filter=late\n")
    taken = take(repository)
    for key in ("clean", "process"):
        git(repository, "config", f"filter.late.{key}", program)
    (repository / "edited").write_text("x\n")
    (repository / "new").write_text("x\n")
    assert taken.told() == {"edited": ("update", 1, 9), "new": ("add", 1, 0)}
    assert not mark.exists()


@pytest.mark.parametrize("is_submodule", [True, False])
def test_an_inner_repository_is_not_looked_into(
    repository: Path, tmp_path: Path, take: Callable[[Path], TreeDiff], is_submodule: bool
) -> None:
    """A command may have written its configuration, and git runs what stands there: outside of the sandbox."""
    mark, inner = tmp_path / "mark", repository / "inner"
    make_repository(inner)
    (inner / "f").write_text("f\n")
    git(inner, "add", "-A")
    git(inner, "commit", "-qm", "inner")
    if is_submodule:
        git(repository, "add", "inner")
    git(inner, "config", "core.fsmonitor", trap(inner / "program", mark))
    taken = take(repository)
    (inner / "f").write_text("changed\n")
    (repository / "new").write_text("x\n")
    assert taken.told() == {"new": ("add", 1, 0)}
    assert taken.told() == {"new": ("add", 1, 0)}
    assert not mark.exists()
    make_repository(repository / "empty")  # without a commit
    assert taken.told() == {"new": ("add", 1, 0)}


# --- what goes wrong


def test_outside_of_a_work_tree_there_is_no_state(tmp_path: Path, repository: Path) -> None:
    deadline = time.monotonic() + 60
    for place, what in (
        (tmp_path, "not a git repository"),
        (repository / ".git", "work tree"),
        (tmp_path / "no", "no such"),
    ):
        with pytest.raises(SnapshotError, match=what):
            find_work_tree(str(place), deadline)


def test_without_git_there_is_no_state(repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SnapshotError, match="there is no git"):
        find_work_tree(str(repository), time.monotonic() + 60)


def test_a_git_that_is_too_slow_is_ended(repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\nsleep 1000\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    with pytest.raises(SnapshotError, match="did not finish"):
        find_work_tree(str(repository), time.monotonic() + 0.1)


def test_a_tree_that_was_not_written_is_no_state(
    repository: Path, take: Callable[[Path], TreeDiff], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = take(repository)
    for path in (repository / ".git" / "objects").rglob("??/*"):
        path.unlink()
    (repository / "new").write_text("x\n")
    with pytest.raises(SnapshotError):
        taken.state.compare(taken.before, "0" * 40, taken.deadline)
    monkeypatch.setattr(TreeState, "_run", lambda *_arguments, **_more: "")
    with pytest.raises(SnapshotError, match="no tree"):
        taken.state.write(taken.deadline)


def test_of_a_patch_that_is_too_long_the_files_are_known(
    repository: Path, take: Callable[[Path], TreeDiff], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree_state, "_MOST_PATCH_BYTES", 2000)
    taken = take(repository)
    (repository / "a").write_text("short\n")
    (repository / "b").write_text("x\n" * 2000)
    (repository / "c\tc").write_bytes(b"\0")
    (repository / "moved").rename(repository / "there")
    (repository / "gone").unlink()
    files = taken.files()
    assert [(file.path, file.kind, file.added, file.is_cut) for file in files] == [
        ("a", "add", 1, False),
        ("b", "add", 2000, True),
        ("c\tc", "add", None, True),
        ("gone", "delete", 0, True),
        ("there", "move", 0, True),
    ]
    assert files[-1].old_path == "moved"


@pytest.mark.parametrize(
    ("limit", "value", "told"),
    [
        ("_MOST_NAME_BYTES", 10, "too many files"),
        ("_MOST_CONTENT_BYTES", 10, "too much is new"),
        ("_SPARE_BYTES", 1 << 60, "the disk of the home has too little space"),
    ],
)
def test_too_much_is_not_looked_at(
    repository: Path,
    take: Callable[[Path], TreeDiff],
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    value: int,
    told: str,
) -> None:
    taken = take(repository)
    monkeypatch.setattr(tree_state, limit, value)
    (repository / "a long name").write_text("of more than ten bytes\n")
    with pytest.raises(SnapshotError, match=told):
        taken.files()


def test_what_git_ignores_is_told_apart(repository: Path, take: Callable[[Path], TreeDiff]) -> None:
    taken = take(repository)
    assert taken.state.unseen(["x.log", "kept", "no.log"], taken.deadline) == {"x.log", "no.log"}
    assert taken.state.unseen(["kept"], taken.deadline) == set()
    assert taken.state.unseen([], taken.deadline) == set()
    assert taken.state.unseen(["/beyond", "kept"], taken.deadline) == {"/beyond", "kept"}  # git refuses to tell
