"""A git worktree of a turn's own: making it, asking whether it still holds something, removing it.

Its folder is `NAME` in the home's `worktrees`, its branch is `codex/NAME`, and refs of the user's repository say the
rest: `refs/codex-server/NAME/base`, the commit that it began with, which exists once the worktree is whole;
`…/applied`, the tree that was last brought back from it, `…/written`, what that gave in the user's own files, `…/onto`,
the commit that they had checked out then, and `…/writing`, what is just being written to them. So nothing of it depends
on the turn's directory. The file `NAME.lock` beside the folder is held shared by each turn that
works in it, and alone by what removes or reads it whole.

No hook of the user's repository is run here.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codex_server_cli.disk import lock
from codex_server_cli.disk.safe_open import ensure_directory, open_regular
from codex_server_cli.errors import BadInputError, ErrorKind
from codex_server_cli.worker.git.git import TIMEOUT_S, require_git

MAKE_TIMEOUT_S = 120.0
"""For a checkout: of a large repository, or through a filter that asks the network."""
READ_TIMEOUT_S = 60.0
"""For a look at every file."""
GONE = ".gone-"
"""Prefix of a folder that is being removed."""
SCRATCH = ".tmp-"
"""Prefix of a folder that is needed for moments."""
BRANCHES = "codex/"
_REFS = ("base", "applied", "written", "onto", "writing")
_POLL_S = 0.01


def folder_of(home: Path) -> Path:
    """The folder of a home's worktrees, as git records it: without symbolic links."""
    return Path(os.path.realpath(home)) / "worktrees"


def branch_of(path: Path) -> str:
    """The branch that a worktree is made with."""
    return f"{BRANCHES}{path.name}"


def ref_of(path: Path, what: str) -> str:
    """The ref of our own for a worktree: one of `_REFS`."""
    return f"refs/codex-server/{path.name}/{what}"


def lock_of(path: Path) -> Path:
    """The lock file of a worktree."""
    return path.with_name(f"{path.name}.lock")


def hold(path: Path, timeout_s: float) -> int | None:
    """Hold a worktree together with other turns, so that none removes it.

    Returns:
        The descriptor that does, until it is closed; None where another process kept it alone for `timeout_s`.

    Raises:
        OSError: the folder cannot be written.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        os.close(open_regular(lock_of(path), os.O_RDWR | os.O_CREAT))
        fd = lock.probe(lock_of(path))
        if fd is not None:
            if lock.is_own(fd, lock_of(path)):
                return fd
            os.close(fd)  # it was deleted with its worktree
        elif time.monotonic() > deadline:
            return None
        time.sleep(_POLL_S)


def make(path: Path, repository: Path, base: str, turn_id: str, *, is_again: bool) -> None:
    """Make a worktree, or finish one that was begun. The caller holds its lock alone.

    Args:
        is_again: whether it had been made before: a branch of its name is then its own, and is checked out.
        repository: a directory of the user's repository.
        base: the commit to begin with.
        turn_id: what runs git is marked with it, so that it ends with the turn.

    Raises:
        BadInputError: git cannot; nothing is left.
    """
    from codex_server_cli.settings.environment import turn_environment

    branch = branch_of(path)
    has_branch = is_branch(repository, branch)
    if has_branch and not is_again:
        raise BadInputError(f"there is already a branch {branch} in {repository}")
    new = ("--no-track", "-b", branch, str(path), base)
    try:
        require_git(
            repository,
            *("worktree", "add", "--quiet", *(("--force", str(path), branch) if has_branch else new)),
            variables=turn_environment(turn_id),
            timeout_s=MAKE_TIMEOUT_S,
        )
        require_git(repository, "update-ref", ref_of(path, "base"), base)
    except BadInputError as error:
        remove(path, repository, base=base)
        if "No space left on device" in error.message:
            error.kind = ErrorKind.DISK
        raise


def require_git_in(path: Path, *arguments: str, **more: Any) -> str:
    """As `require_git`, in a worktree of ours: git must not find the repository of a folder above instead.

    Raises:
        BadInputError: as `require_git`; or there is no worktree.
    """
    ceiling = {"GIT_CEILING_DIRECTORIES": str(path.parent)}
    return require_git(path, *arguments, **more | {"variables": ceiling | (more.get("variables") or {})})


def is_branch(repository: Path, name: str) -> bool:
    """Whether the repository has this branch.

    Raises:
        BadInputError: git cannot be asked.
    """
    return _target_of(repository, f"refs/heads/{name}") is not None


def _target_of(repository: Path, ref: str) -> str | None:
    found = require_git(repository, "for-each-ref", "--format=%(objectname) %(refname)", ref)
    pairs = (line.split(" ", 1) for line in found.splitlines())  # with all refs below that name
    return next((object_id for object_id, name in pairs if name == ref), None)


def _is_spare(repository: Path, branch: str, base: str | None) -> bool:
    """Whether a branch can be deleted without a loss: it is at its base, or another has its commits, too."""
    commit = _target_of(repository, f"refs/heads/{branch}")
    if commit is None or commit == base:
        return commit is not None
    kinds = ("refs/heads", "refs/remotes", "refs/tags")
    others = require_git(repository, "for-each-ref", "--format=%(refname)", "--contains", commit, *kinds)
    return bool(set(others.splitlines()) - {f"refs/heads/{branch}"})


def is_whole(path: Path, timeout_s: float = TIMEOUT_S) -> bool:
    """Whether a worktree was made to the end; False where its maker was killed.

    Raises:
        BadInputError: its repository cannot be asked; or it is a copy, which the repository knows nothing of.
        OSError: it is gone.
    """
    if not os.path.lexists(path / ".git"):
        return bool(os.listdir(path))  # noqa: PTH208 — git makes an empty folder first; in any other there is work
    if not _is_registered(path, path, timeout_s):
        raise BadInputError(f"{path} is the copy of a worktree that lies elsewhere")
    return "base" in refs_of(path, timeout_s)


def refs_of(path: Path, timeout_s: float = TIMEOUT_S) -> Mapping[str, str]:
    """What our refs for a worktree name: object ids, by the last part of the ref's name.

    Raises:
        BadInputError: its repository cannot be asked.
    """
    arguments = ("for-each-ref", "--format=%(objectname) %(refname)", ref_of(path, ""))
    found = require_git_in(path, *arguments, timeout_s=timeout_s)
    pairs = (line.split(" ", 1) for line in found.splitlines())
    return {name.rpartition("/")[2]: object_id for object_id, name in pairs}


def remove(path: Path, repository: Path | None = None, *, base: str | None = None) -> None:
    """Remove a worktree, its branch and our refs; best effort. The caller holds its lock alone.

    The folder is renamed first: one that is half deleted must not look like one with changes. Each step may have been
    done before, by one that was killed.

    Args:
        repository: where its folder is missing, and cannot tell.
        base: the commit that it began with; by its ref if None. The branch stays where it has commits of its own.
    """
    hidden = path.with_name(f"{GONE}{path.name}")
    if os.path.lexists(path):
        shutil.rmtree(hidden, ignore_errors=True)
        with contextlib.suppress(OSError):
            path.rename(hidden)
    is_copy = os.path.lexists(hidden / ".git") and not _is_registered(hidden, path)
    common = common_directory(hidden) or repository
    if common is not None and not is_copy:
        with contextlib.suppress(BadInputError):
            require_git(common, "worktree", "remove", "--force", "--force", str(path))
        with contextlib.suppress(BadInputError):
            if _is_spare(common, branch_of(path), base or _target_of(common, ref_of(path, "base"))):
                require_git(common, "branch", "--quiet", "-D", branch_of(path))  # never one that is checked out
        for what in _REFS:
            with contextlib.suppress(BadInputError):
                require_git(common, "update-ref", "-d", ref_of(path, what))
    shutil.rmtree(hidden, ignore_errors=True)


def common_directory(place: Path) -> Path | None:
    """The repository's own directory, which all its worktrees share; None where it is gone.

    Args:
        place: the top of a worktree.
    """
    with contextlib.suppress(BadInputError):
        return common_directory_of(place)
    return None


def common_directory_of(place: Path) -> Path:
    """The same.

    Raises:
        BadInputError: it is gone, or git cannot tell.
    """
    return Path(os.path.realpath(place / require_git_in(place, "rev-parse", "--git-common-dir")))


def scratch(path: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder to work in beside a worktree, where no command of a turn can write."""
    return tempfile.TemporaryDirectory(prefix=SCRATCH, dir=path.parent)


def _is_registered(place: Path, path: Path, timeout_s: float = TIMEOUT_S) -> bool:
    """Whether the repository of the worktree in `place` knows it as `path`. One in a copied home it does not know.

    True where the repository is gone.
    """
    try:
        admin = Path(require_git_in(place, "rev-parse", "--absolute-git-dir", timeout_s=timeout_s))
        named = (admin / "gitdir").read_text(encoding="utf-8", errors="surrogateescape").rstrip("\n")
    except (BadInputError, OSError):
        return True
    return os.path.realpath((admin / named).parent) == os.path.realpath(path)


def prepare_folder(path: Path) -> None:
    """Make the folder of worktrees.

    Raises:
        OSError: it cannot be made.
    """
    ensure_directory(path.parent, may_be_link=False)
