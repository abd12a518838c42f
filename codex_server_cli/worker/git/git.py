"""Running git. Owns the timeouts, and that our environment never redirects git to another repository."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from shlex import quote
from typing import NamedTuple

from codex_server_cli.errors import BadInputError
from codex_server_cli.settings.environment import inherited_environment

TIMEOUT_S = 10.0
_OURS = ("-c", f"core.hooksPath={os.devnull}", "-c", "core.splitIndex=false")
"""No hook of the repository is run, and our index does not leave a shared one in its `.git`."""
_READ_BYTES = 1 << 16


class GitAnswer(NamedTuple):
    """Git's output; `complaint` is the first line of its error message, None where it succeeded."""

    text: str
    complaint: str | None


class GitOutput(NamedTuple):
    """The result of one git run: its exit code, and its output as bytes."""

    code: int
    stdout: bytes
    stderr: bytes

    @property
    def has_given_up(self) -> bool:
        """Whether it printed a fatal error: the exit code reads 0 if our SIGCHLD handler has reaped the process."""
        return any(line.startswith(b"fatal: ") for line in self.stderr.splitlines())

    @property
    def complaint(self) -> str | None:
        """The first line of its error message; None where it succeeded."""
        if self.code == 0 and not self.has_given_up:
            return None
        lines = self.stderr.decode("utf-8", "replace").strip().splitlines()
        return lines[0].removeprefix("fatal: ") if lines else "git failed and printed nothing"


def ask_git(cwd: Path, *arguments: str) -> GitAnswer:
    """Run a git command that only reads in `cwd`.

    Raises:
        BadInputError: git is not installed, or does not answer.
    """
    try:
        output = run_git(cwd, "--no-optional-locks", *arguments, timeout_s=TIMEOUT_S)
    except FileNotFoundError as error:
        raise BadInputError("there is no git to ask", hint="Install git.") from error
    except subprocess.TimeoutExpired as error:
        raise BadInputError(
            f"git does not answer within {TIMEOUT_S:g} s", hint=f"Try: git -C {quote(str(cwd))} status"
        ) from error
    except OSError as error:
        hint = f"Try: git -C {quote(str(cwd))} status"
        raise BadInputError(f"git does not answer: {error.strerror or error}", hint=hint) from error
    return GitAnswer(output.stdout.decode("utf-8", "replace").strip(), output.complaint)


def require_git(
    place: Path,
    *arguments: str,
    variables: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    timeout_s: float = TIMEOUT_S,
    codes: tuple[int, ...] = (0,),
) -> str:
    """Run a git command that must succeed, without any hook of the repository.

    Args:
        codes: the exit codes that count as success.

    Returns:
        Its output, without the last line break, decoded as by `os.fsdecode`.

    Raises:
        BadInputError: it fails, is not installed, or takes longer than `timeout_s`.
    """
    try:
        output = run_git(place, *_OURS, *arguments, variables=variables, stdin=stdin, timeout_s=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise BadInputError(f"git took longer than {timeout_s:g} s in {place}") from error
    except OSError as error:
        reason = f"there is no git, or no {place}" if isinstance(error, FileNotFoundError) else error.strerror
        raise BadInputError(f"git cannot be run: {reason}") from error
    if output.code not in codes or output.has_given_up:
        before = ("", *arguments)
        command = next(each for last, each in zip(before, arguments, strict=False) if each[:1] != "-" and last != "-c")
        raise BadInputError(f"git {command}: {output.complaint}")
    return os.fsdecode(output.stdout).removesuffix("\n")


def run_git(
    cwd: Path,
    *arguments: str,
    variables: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    timeout_s: float = TIMEOUT_S,
) -> GitOutput:
    """Run a git command in `cwd`, even if our environment names another repository.

    At the timeout the process group is killed: a wrapper's child would hold the pipes open.

    Args:
        variables: added to git's environment.
        stdin: its standard input.
        timeout_s: after this time it is killed.

    Raises:
        FileNotFoundError: git is not installed, or `cwd` is gone.
        OSError: it cannot be started.
        subprocess.TimeoutExpired: it took longer than `timeout_s`.
    """
    with _start(cwd, arguments, variables, stdin=subprocess.PIPE if stdin else subprocess.DEVNULL) as process:
        try:
            stdout, stderr = process.communicate(stdin or None, timeout=timeout_s)
        except BaseException:  # Ctrl-C too: it does not reach git's session
            _kill(process)
            raise
    return GitOutput(process.returncode, stdout, stderr)


def read_git(
    cwd: Path, *arguments: str, variables: Mapping[str, str], most_bytes: int, timeout_s: float = TIMEOUT_S
) -> bytes:
    """The first bytes of a git command's output; at `most_bytes` it is killed.

    Raises:
        FileNotFoundError, OSError, subprocess.TimeoutExpired: as `run_git`; OSError also where it fails.
    """
    deadline = time.monotonic() + timeout_s
    with _start(cwd, arguments, variables, stderr=subprocess.DEVNULL) as process:
        try:
            found = _read(process, most_bytes, deadline, timeout_s)
            is_failed = len(found) < most_bytes and process.wait(max(0.0, deadline - time.monotonic())) != 0
        finally:
            if process.poll() is None:
                _kill(process)
    if is_failed:
        raise OSError(f"git ended with {process.returncode}")
    return found


def _read(process: subprocess.Popen[bytes], most_bytes: int, deadline: float, timeout_s: float) -> bytes:
    assert process.stdout is not None
    found = bytearray()
    while len(found) < most_bytes:
        if not select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise subprocess.TimeoutExpired(process.args, timeout_s)
        piece = os.read(process.stdout.fileno(), min(_READ_BYTES, most_bytes - len(found)))
        if not piece:
            break
        found += piece
    return bytes(found)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill git's process group. No error if it has just ended, because that would replace the original error."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _start(
    cwd: Path,
    arguments: Iterable[str],
    variables: Mapping[str, str] | None,
    *,
    stdin: int = subprocess.DEVNULL,
    stderr: int = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["git", "-c", "core.fsmonitor=false", *arguments],
        cwd=cwd,
        env=inherited_environment() | dict(variables or {}),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=stderr,
        start_new_session=True,
    )


def nul_terminated(names: Iterable[str]) -> bytes:
    """Names in the format of git's `-z`."""
    return b"".join(os.fsencode(name) + b"\0" for name in names)


def outside_of_work_tree(place: Path) -> str | None:
    """Why a directory is not in a work tree, as git's message; None where it is in one.

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
