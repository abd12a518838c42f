"""Asking git about a directory. Owns how git is run; must never change a repository."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import NamedTuple

from codex_server_cli.errors import BadInputError
from codex_server_cli.settings.environment import inherited_environment

TIMEOUT_S = 10.0


class GitAnswer(NamedTuple):
    """Git's output; `complaint` is the first line of its error message, None where it succeeded."""

    text: str
    complaint: str | None


def ask_git(cwd: Path, *arguments: str) -> GitAnswer:
    """Run a read-only git command in `cwd`, ignoring a repository that our environment may name.

    Raises:
        BadInputError: git is not installed, or does not answer.
    """
    command = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", *arguments]
    try:
        code, stdout, stderr = _run(command, cwd)
    except FileNotFoundError as error:
        raise BadInputError("there is no git to ask", hint="Install git.") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadInputError(f"git does not answer: {error}", hint=f"Try: git -C {cwd} status") from error
    text = stdout.decode("utf-8", "replace").strip()
    if code == 0:
        return GitAnswer(text, None)
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return GitAnswer(text, lines[0].removeprefix("fatal: ") if lines else "git failed and printed nothing")


def _run(command: list[str], cwd: Path) -> tuple[int, bytes, bytes]:
    """Exit code, stdout and stderr. At the timeout the process group is killed: a wrapper's child would hold the pipes
    open."""
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=inherited_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            stdout, stderr = process.communicate(timeout=TIMEOUT_S)
        except BaseException:  # Ctrl-C too: it does not reach git's session
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, stdout, stderr


def outside_of_work_tree(place: Path) -> str | None:
    """Why a directory is in no work tree, as git's message; None where it is in one.

    Raises:
        BadInputError: as `ask_git`.
    """
    inside = ask_git(place, "rev-parse", "--is-inside-work-tree")
    if inside.complaint is not None:
        return inside.complaint
    if inside.text == "true":
        return None
    is_bare = ask_git(place, "rev-parse", "--is-bare-repository").text == "true"
    return "it is bare" if is_bare else "it is git's own directory"
