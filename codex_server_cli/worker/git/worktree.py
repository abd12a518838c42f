"""A git worktree for one turn: making it, checking it, removing it.

Its folder is `NAME` in the home's `worktrees`, its branch is `codex/NAME`, and refs of the user's repository have the
rest: `refs/codex-server/NAME/base`, the commit that it began with, which exists once the worktree is complete;
`…/applied`, the tree that was last brought back from it, `…/written`, the resulting tree in the user's own files,
`…/onto`, the commit that they had checked out then, and `…/writing`, the tree that is being written to them now. So it
does not depend on the turn's directory. Each turn that works in it locks the file `NAME.lock` beside the folder shared;
a process that removes it, or reads all of it, locks it exclusively.

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
"""For a checkout: of a large repository, or through a filter that uses the network."""
READ_TIMEOUT_S = 60.0
"""For reading every file."""
GONE = ".gone-"
"""Prefix of a folder that is being removed."""
SCRATCH = ".tmp-"
"""Prefix of a temporary folder."""
BRANCHES = "codex/"
_POLL_S = 0.01


def folder_of(home: Path) -> Path:
    """The folder of a home's worktrees, as git records it: without symbolic links."""
    return Path(os.path.realpath(home)) / "worktrees"


def branch_of(path: Path) -> str:
    """The branch that a worktree is made with."""
    return f"{BRANCHES}{path.name}"


def ref_of(path: Path, what: str) -> str:
    """Our ref for a worktree: `base`, `applied`, `written`, `onto` or `writing`."""
    return f"refs/codex-server/{path.name}/{what}"


def hidden(path: Path) -> Path:
    """The folder of a worktree that is being removed."""
    return path.with_name(f"{GONE}{path.name}")


def lock_of(path: Path) -> Path:
    """The lock file of a worktree."""
    return path.with_name(f"{path.name}.lock")


def hold(path: Path, timeout_s: float) -> int | None:
    """Lock a worktree shared with other turns, so that none removes it.

    Returns:
        The descriptor that holds the lock; None where another process kept it exclusively for `timeout_s`.

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


def make(
    path: Path, repository: Path, base: str, turn_id: str, *, is_again: bool, until_s: float | None = None
) -> None:
    """Make a worktree, or finish making it. The caller holds its lock exclusively.

    Args:
        is_again: whether it was made before: then an existing branch of its name is its own, and is checked out.
        repository: a directory of the user's repository.
        base: the commit to begin with.
        turn_id: marks the git process, so that it ends with the turn.
        until_s: see `time_left`.

    Raises:
        BadInputError: git fails; nothing is left behind.
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
            timeout_s=time_left(until_s, MAKE_TIMEOUT_S),
        )
        require_git(repository, "update-ref", ref_of(path, "base"), base)
    except BadInputError as error:
        remove(path, repository, base=base)
        if "No space left on device" in error.message:
            error.kind = ErrorKind.DISK
        raise


def require_git_in(path: Path, *arguments: str, **more: Any) -> str:
    """As `require_git`, in a worktree of ours: git must not use the repository of a parent folder instead.

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
    arguments = ("for-each-ref", "--format=%(refname)", f"refs/heads/{name}")
    return f"refs/heads/{name}" in require_git(repository, *arguments).splitlines()


def time_left(until_s: float | None, most_s: float = TIMEOUT_S) -> float:
    """The timeout of one git run, where several have a common deadline on the monotonic clock."""
    return most_s if until_s is None else min(most_s, max(until_s - time.monotonic(), 0.01))


def is_whole(path: Path, until_s: float | None = None) -> bool:
    """Whether a worktree is complete; False where the process that made it was killed.

    Args:
        until_s: see `time_left`.

    Raises:
        BadInputError: git fails, or its repository does not know it: it is a copy, or another was put there.
        OSError: it is gone.
    """
    if not os.path.lexists(path / ".git"):
        return bool(os.listdir(path))  # noqa: PTH208 — git first creates an empty folder; any other has work
    if not _is_registered(path, path, until_s):
        raise BadInputError(f"{path} is not the worktree that git made: a copy, or a repository of its own")
    return "base" in refs_of(path, until_s)


def refs_of(path: Path, until_s: float | None = None) -> Mapping[str, str]:
    """Our refs for a worktree: object ids, by the last part of the ref's name.

    Raises:
        BadInputError: git fails.
    """
    found = _refs_below(path, ref_of(path, ""), until_s)
    return {name.rpartition("/")[2]: object_id for name, object_id in found.items()}


def _refs_below(place: Path, ref: str, until_s: float | None = None) -> dict[str, str]:
    """The object ids of a ref, or of all refs below it, by name."""
    arguments = ("for-each-ref", "--format=%(objectname) %(refname)", ref)
    found = require_git_in(place, *arguments, timeout_s=time_left(until_s))
    return {name: object_id for object_id, name in (line.split(" ", 1) for line in found.splitlines())}


def remove(
    path: Path, repository: Path | None = None, *, base: str | None = None, until_s: float | None = None
) -> bool:
    """Remove a worktree, its branch and our refs; best effort. The caller holds its lock exclusively.

    The folder is renamed first: a half-deleted one must not look like one with changes. Each step is idempotent: a
    killed process may have done it before.

    Args:
        repository: used if the folder is missing, and cannot name it.
        base: the commit that it began with; None reads its ref. A branch with commits of its own is kept.
        until_s: see `time_left`; git is not run after that.

    Returns:
        False where git has failed, and branch or refs may be left.
    """
    place = hidden(path)
    if os.path.lexists(path):
        shutil.rmtree(place, ignore_errors=True)
        with contextlib.suppress(OSError):
            path.rename(place)
    is_copy = os.path.lexists(place / ".git") and not _is_registered(place, path, until_s)
    common = common_directory(place, until_s) or repository
    is_done = True
    if common is not None and not is_copy:
        with contextlib.suppress(BadInputError):
            arguments = ("worktree", "remove", "--force", "--force", str(path))
            require_git(common, *arguments, timeout_s=time_left(until_s))
        is_done = _remove_refs(path, common, base, until_s)
    shutil.rmtree(place, ignore_errors=True)
    return is_done


def _remove_refs(path: Path, repository: Path, base: str | None, until_s: float | None) -> bool:
    """Remove the branch of a worktree, unless it has commits of its own, and our refs; False where git has failed."""
    branch = branch_of(path)
    try:
        ours = _refs_below(repository, ref_of(path, ""), until_s)
        commit = _refs_below(repository, f"refs/heads/{branch}", until_s).get(f"refs/heads/{branch}")
        if commit is not None:
            is_spare = commit == (base or ours.get(ref_of(path, "base")))
            if is_spare or _has_another(repository, branch, commit, until_s):
                with contextlib.suppress(BadInputError):  # it is checked out
                    require_git(repository, "branch", "--quiet", "-D", branch, timeout_s=time_left(until_s))
        if ours:
            lines = "".join(f"delete {ref}\n" for ref in ours).encode()
            require_git(repository, "update-ref", "--stdin", stdin=lines, timeout_s=time_left(until_s))
    except BadInputError:
        return False
    return True


def _has_another(repository: Path, branch: str, commit: str, until_s: float | None) -> bool:
    """Whether another branch, a remote branch or a tag contains a commit of this branch, too."""
    kinds = ("refs/heads", "refs/remotes", "refs/tags")
    arguments = ("for-each-ref", "--format=%(refname)", "--contains", commit, *kinds)
    found = require_git(repository, *arguments, timeout_s=time_left(until_s)).splitlines()
    return bool(set(found) - {f"refs/heads/{branch}"})


def common_directory(place: Path, until_s: float | None = None) -> Path | None:
    """The repository's common directory, which all its worktrees share; None where it is gone.

    Args:
        place: the top of a worktree.
    """
    with contextlib.suppress(BadInputError):
        return common_directory_of(place, until_s)
    return None


def common_directory_of(place: Path, until_s: float | None = None) -> Path:
    """The same.

    Raises:
        BadInputError: it is gone, or git fails.
    """
    found = require_git_in(place, "rev-parse", "--git-common-dir", timeout_s=time_left(until_s))
    return Path(os.path.realpath(place / found))


def scratch(path: Path) -> tempfile.TemporaryDirectory[str]:
    """A temporary folder beside a worktree, where no command of a turn can write."""
    return tempfile.TemporaryDirectory(prefix=SCRATCH, dir=path.parent)


def _is_registered(place: Path, path: Path, until_s: float | None = None) -> bool:
    """Whether the repository of the worktree in `place` has it registered as `path`; one in a copied home is not.

    True where the repository is gone.
    """
    try:
        admin = Path(require_git_in(place, "rev-parse", "--absolute-git-dir", timeout_s=time_left(until_s)))
        named = (admin / "gitdir").read_text(encoding="utf-8", errors="surrogateescape").rstrip("\n")
    except FileNotFoundError:  # a repository that a turn has put there instead
        return False
    except (BadInputError, OSError):
        return True
    return os.path.realpath((admin / named).parent) == os.path.realpath(path)


def prepare_folder(path: Path) -> None:
    """Make the folder of worktrees.

    Raises:
        OSError: it cannot be made.
    """
    ensure_directory(path.parent, may_be_link=False)
