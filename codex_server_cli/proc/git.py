"""Asking git about a directory. Owns the one way in which git is run; must never change a repository."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

from codex_server_cli.errors import BadInputError

_TIMEOUT_S = 20.0


class GitAnswer(NamedTuple):
    """What git said; `complaint` is the last line of its words where it failed, None where it did not."""

    text: str
    complaint: str | None


def ask_git(cwd: Path, *arguments: str) -> GitAnswer:
    """Run a git command that only reads.

    Raises:
        BadInputError: there is no git, or it does not answer.
    """
    try:
        run = subprocess.run(
            ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", *arguments],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as error:
        raise BadInputError("a review needs git, and there is none", hint="Install git.") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadInputError(f"git does not answer: {error}", hint=f"Try: git -C {cwd} status") from error
    text = run.stdout.decode("utf-8", "replace").strip()
    if run.returncode == 0:
        return GitAnswer(text, None)
    words = run.stderr.decode("utf-8", "replace").strip().splitlines()
    return GitAnswer(text, words[0].removeprefix("fatal: ") if words else "git failed without a word")
