"""A user's repository with one commit, and a worktree of ours beside it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from codex_server_cli.worker.git import worktree

FILES = {"f.txt": "1\n2\n3\n4\n5\n", "sub/a.txt": "one\n", "keep": "k\n", ".gitignore": "*.log\n"}


class Repository:
    """A repository on disk, and what can be asked of it."""

    def __init__(self, path: Path, files: dict[str, str] | None = None, object_format: str = "sha1") -> None:
        self.path = path
        path.mkdir()
        self.git("init", "-q", "-b", "main", f"--object-format={object_format}")
        self.write(FILES if files is None else files)
        self.commit("First")

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        """Run git, and return its output."""
        identity = ("-c", "user.name=Dev", "-c", "user.email=dev@example.com", "-c", "commit.gpgsign=false")
        run = subprocess.run(["git", *identity, *arguments], cwd=cwd or self.path, capture_output=True, check=True)
        return os.fsdecode(run.stdout).removesuffix("\n")

    def write(self, files: dict[str, str], below: Path | None = None) -> None:
        """Write files, their folders too."""
        for name, text in files.items():
            path = (below or self.path) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())

    def commit(self, message: str) -> str:
        """Commit all there is, and return the commit."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.head

    @property
    def head(self) -> str:
        """The commit of HEAD."""
        return self.git("rev-parse", "HEAD")

    @property
    def status(self) -> list[str]:
        """What is uncommitted, as `git status` tells it in short."""
        return [line for line in self.git("status", "--porcelain", "-z", "-uall").split("\0") if line]

    @property
    def refs(self) -> set[str]:
        """The names of all refs."""
        return set(self.git("for-each-ref", "--format=%(refname)").split())

    @property
    def worktrees(self) -> int:
        """How many worktrees git knows of, the first included."""
        return self.git("worktree", "list").count("\n") + 1


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


@pytest.fixture
def tree(repository: Repository, tmp_path: Path) -> Path:
    """A worktree of ours, as a turn finds it."""
    path = tmp_path / "worktrees" / "t1"
    path.parent.mkdir()
    worktree.make(path, repository.path, repository.head, "20261120-165501-482-7f3a", is_again=False)
    return path
