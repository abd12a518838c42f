"""Asking git about a directory. Owns the one way in which git is run; must never change a repository."""

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
    """What git said; `complaint` is the first line of its words where it failed, None where it did not."""

    text: str
    complaint: str | None


def ask_git(cwd: Path, *arguments: str) -> GitAnswer:
    """Run a git command that only reads, about `cwd` and no other repository that our environment may name.

    Raises:
        BadInputError: there is no git, or it does not answer.
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
    words = stderr.decode("utf-8", "replace").strip().splitlines()
    return GitAnswer(text, words[0].removeprefix("fatal: ") if words else "git failed without a word")


def _run(command: list[str], cwd: Path) -> tuple[int, bytes, bytes]:
    """Exit code, stdout and stderr. One that hangs is ended with all that it started: a wrapper's child, which would
    hold the pipes open, too."""
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
        except BaseException:  # Ctrl-C, too, does not reach its session
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, stdout, stderr


def outside_of_work_tree(place: Path) -> str | None:
    """Why git takes a directory for no part of a work tree, in its own words; None where it is one.

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
