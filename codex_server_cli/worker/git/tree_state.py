"""One state of a git work tree, as a git tree, without changing the user's repository.

Owns that: the index is a copy; new objects go to a separate directory, which has the repository's objects as its
alternate; no hook, no filter and no monitor is run, and no lock is taken. Ignored files are not included, nor files of
another repository inside the work tree. A file with a filter (Git LFS) is stored unfiltered.

We run outside of the turn's sandbox, and read what its commands wrote. So never run `git add`, nor anything else that
enters such an inner repository: it runs `git status` there, and so the programs in that repository's configuration,
which a command may have written (seen with git 2.39).

A worker's SIGCHLD handler, which reaps orphans, may reap our git before its `Popen` does, and then the exit code is
lost. So git's output is checked for errors, too.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from codex_server_cli.core.model.unified_diff import FileDiff, parse_diff, parse_listing
from codex_server_cli.disk.safe_open import make_directory
from codex_server_cli.worker.git.git import nul_terminated, read_git, run_git

LIMIT_S = 2.0
_LEAST_S = 0.001
_MOST_PATCH_BYTES = 4 << 20
_MOST_NAME_BYTES = 16 << 20
_MOST_CONTENT_BYTES = 64 << 20
"""Total size of new and changed files: each is copied once."""
_SPARE_BYTES = 200 << 20
"""What must stay free on the disk of the copies, which all turns use."""
_SETTINGS = {
    "core.hooksPath": "/dev/null",  # writing an index runs a hook
    "core.splitIndex": "false",  # a shared index would be written beside the user's
    "core.untrackedCache": "false",
    "core.safecrlf": "false",  # otherwise a file with mixed line ends is refused
    "core.compression": "0",
    "core.fsync": "none",
    "core.quotePath": "false",
    "gc.auto": "0",
}
_VARIABLES = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",  # unknown to git before 2.44, hence also no protocol
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
NONE: Mapping[str, str] = MappingProxyType({})
_TREE = re.compile(r"[0-9a-f]{40,64}")
_OFF = {"clean": "", "process": "", "required": "false"}


class SnapshotError(Exception):
    """Why only patches are known."""


class WorkTree(NamedTuple):
    """The paths of the user's work tree and repository.

    Attributes:
        top: the work tree, without symlinks.
        objects_path, index_path: of the repository.
    """

    top: str
    objects_path: str
    index_path: str

    @property
    def prefix(self) -> str:
        """The prefix of every path in it."""
        return f"{self.top.rstrip('/')}/"


class TreeState:
    """A state of a work tree in a folder of ours: its index, and the objects that the repository does not have.

    Args:
        folder: for both.
        home: our home; like `folder` it is excluded from the work tree.
        alternates: further directories of objects.
        mark: variables for git's environment.
    """

    def __init__(
        self, folder: Path, tree: WorkTree, home: Path, alternates: Iterable[str] = (), mark: Mapping[str, str] = NONE
    ) -> None:
        self._tree = tree
        self._folder = folder
        self._settings = _flags(())
        self._variables = {
            **_VARIABLES,
            **mark,
            "GIT_INDEX_FILE": str(folder / "index"),
            "GIT_OBJECT_DIRECTORY": str(folder / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": ":".join(map(_quoted, (tree.objects_path, *alternates))),
        }
        own = (os.path.realpath(each).removeprefix(tree.prefix) for each in (home, folder))
        self._others = [f":(top,exclude,literal){path}" for path in own if not path.startswith("/")]
        make_directory(folder / "objects")

    def write(self, deadline: float) -> str:
        """Store the present work tree; return the name of the git tree.

        Raises:
            SnapshotError: git fails, or is too slow.
        """
        keys = self._run(deadline, "config", "--null", "--name-only", "--get-regexp", r"^filter\.").split("\0")
        self._settings = _flags({key[len("filter.") :].rpartition(".")[0] for key in keys if key})
        which = ("-m", "-d", "-o", "--exclude-standard", "--", ":/", *self._others)
        listed = self._read(deadline, _MOST_NAME_BYTES, "ls-files", "-z", *which)
        if len(listed) >= _MOST_NAME_BYTES:
            raise SnapshotError("too many files are new or changed")
        present, gone = self._sorted(listed.split("\0"), deadline)
        if gone:
            self._run(deadline, "update-index", "--force-remove", "-z", "--stdin", stdin=nul_terminated(gone))
        if present:
            how = ("--add", "--replace", "--remove", "-z", "--stdin")
            self._run(deadline, "update-index", *how, stdin=nul_terminated(present))
        name = self._run(deadline, "write-tree", "--missing-ok").strip()
        if not _TREE.fullmatch(name):
            raise SnapshotError("git wrote no tree")
        return name

    def _sorted(self, names: Iterable[str], deadline: float) -> tuple[list[str], list[str]]:
        """Which of these names to add, and which to remove. An unreadable file keeps its previous state.

        Raises:
            SnapshotError: there is too much data.
        """
        present: dict[str, None] = {}
        gone: dict[str, None] = {}
        real: dict[str, bool] = {}
        rest_bytes = _MOST_CONTENT_BYTES
        for name in names:
            if not name or name.endswith("/"):  # an inner repository
                continue
            path = self._tree.prefix + name
            folder = path.rpartition("/")[0]
            if folder not in real:
                real[folder] = os.path.realpath(folder) == (folder or "/")  # otherwise a symlink has replaced it
            info = _info_of(path) if real[folder] else None
            if info is None:
                gone[name] = None
            elif stat.S_ISDIR(info.st_mode):
                if not os.path.lexists(f"{path}/.git"):  # it has replaced a file; otherwise an inner repository
                    gone[name] = None
            elif stat.S_ISLNK(info.st_mode) or os.access(path, os.R_OK):
                present[name] = None
                rest_bytes -= info.st_size
            if rest_bytes < 0 or _rest_s(deadline) <= _LEAST_S:
                raise SnapshotError("too much is new or changed")
        if shutil.disk_usage(self._folder).free < _SPARE_BYTES + _MOST_CONTENT_BYTES - rest_bytes:
            raise SnapshotError("the disk of the home has too little space")
        return [*present], [*gone]

    def compare(self, before: str, after: str, deadline: float) -> list[FileDiff]:
        """How two trees differ, names relative to the work tree.

        Raises:
            SnapshotError: git fails, or is too slow.
        """
        if before == after:
            return []
        command = ("diff-tree", "-r", "-M", "--no-ext-diff", "--no-textconv", "--no-color")
        prefixes = ("--src-prefix=a/", "--dst-prefix=b/")
        how = (*command, "-p", "--binary", *prefixes)
        patch = self._read(deadline, _MOST_PATCH_BYTES, *how, before, after)
        files = parse_diff(patch)
        if len(patch) >= _MOST_PATCH_BYTES:  # the last one is cut off, and others may be missing
            known = {file.path: file for file in files[:-1]}
            listing = self._run(deadline, *command, "-z", "--raw", "--numstat", before, after)
            files = [known.get(file.path, file) for file in parse_listing(listing)]
        return files

    def unseen(self, names: Iterable[str], deadline: float) -> set[str]:
        """The names, relative to the work tree, that git ignores; all of them if git fails."""
        asked = set(names)
        if not asked:
            return set()
        try:
            return set(
                self._run(deadline, "check-ignore", "-z", "--stdin", stdin=nul_terminated(asked)).split("\0")
            ) - {""}
        except SnapshotError:  # one of them is in a submodule, for instance
            return asked

    def _read(self, deadline: float, most_bytes: int, *arguments: str) -> str:
        with _told():
            data = read_git(
                Path(self._tree.top),
                *(*self._settings, *arguments),
                variables=self._variables,
                most_bytes=most_bytes,
                timeout_s=_rest_s(deadline),
            )
        return data.decode("utf-8", "surrogateescape")

    def _run(self, deadline: float, *arguments: str, stdin: bytes = b"") -> str:
        return _git(self._tree.top, (*self._settings, *arguments), self._variables, deadline, stdin)


def find_work_tree(cwd: str, deadline: float, mark: Mapping[str, str] = NONE) -> WorkTree:
    """The work tree of a directory.

    Args:
        mark: variables for git's environment.

    Raises:
        SnapshotError: there is none, or git fails.
    """
    asked = ("rev-parse", "--show-toplevel", "--git-path", "objects", "--git-path", "index")
    places = _git(cwd, asked, {**_VARIABLES, **mark}, deadline)
    lines = places.removesuffix("\n").split("\n")
    if len(lines) != 3:
        raise SnapshotError("git does not tell its places in three lines")
    top, objects_path, index_path = (os.path.normpath(os.path.join(os.path.realpath(cwd), line)) for line in lines)  # noqa: PTH118
    return WorkTree(top, objects_path, index_path)


def copy_index(tree: WorkTree, folder: Path) -> None:
    """Copy the index with its mtime, from which git sees which files may have changed while it was written."""
    with contextlib.suppress(FileNotFoundError):  # nothing was ever added
        shutil.copy2(tree.index_path, folder / "index")


def _flags(filters: Iterable[str]) -> tuple[str, ...]:
    """The settings for every git run, as flags; an empty filter that is not required does nothing."""
    off = {f"filter.{name}.{key}": value for name in filters for key, value in _OFF.items()}
    return tuple(word for name, value in (_SETTINGS | off).items() for word in ("-c", f"{name}={value}"))


def _info_of(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError:  # gone
        return None


def _quoted(path: str) -> str:
    """A path quoted for a list separated by `:`."""
    if ":" not in path and not path.startswith('"'):
        return path
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _git(cwd: str, arguments: Iterable[str], variables: Mapping[str, str], deadline: float, stdin: bytes = b"") -> str:
    """Git's output.

    Raises:
        SnapshotError: it cannot be run, has a fatal error, or is too slow.
    """
    with _told():
        output = run_git(Path(cwd), *arguments, variables=variables, stdin=stdin, timeout_s=_rest_s(deadline))
    fatal = [line for line in output.stderr.decode("utf-8", "replace").splitlines() if line.startswith("fatal: ")]
    if fatal or output.code not in (0, 1):  # 1: some file could not be read, or there is nothing to list
        raise SnapshotError(fatal[0].removeprefix("fatal: ") if fatal else f"git ended with {output.code}")
    return output.stdout.decode("utf-8", "surrogateescape")


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise SnapshotError("there is no git, or no such directory") from error
    except subprocess.TimeoutExpired as error:
        raise SnapshotError(f"git did not finish within {LIMIT_S:g} s") from error
    except OSError as error:
        raise SnapshotError(f"git cannot be run: {error}") from error


def _rest_s(deadline: float) -> float:
    return max(_LEAST_S, deadline - time.monotonic())
