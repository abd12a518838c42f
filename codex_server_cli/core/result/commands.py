"""Our commands as text for a POSIX shell, which works verbatim and from any directory.

Owns how a turn is requested again; must never decide which command comes next (`hints`, `next_step`).

Agents run such a command verbatim. So each has exactly the flags that its turn was started with: a restriction that the
user did not remove stays in force.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from codex_server_cli.errors import BusyError

if TYPE_CHECKING:  # a heavy import that most commands do not need
    from codex_server_cli.core.model.request import Flags, TurnRequest

PROGRAM = "codex-server"
WAIT_TIMEOUT_S = 100
"""A wait that fits into the two minutes that an agent's shell allows."""

_IN_HINT = r"""`(codex(?:-server| unarchive) (?:'[^']*'|"[^"]*"|[^`'"])*)`"""
_LONGEST_S = 3650 * 86400
_WORKTREE = "--worktree"
"""Requests a new worktree: a turn that continues a thread stays in the thread's."""
_SERVER = ("--server", "--server-token-file", "--server-token-env", "--insecure")
"""A turn that continues another one uses the same server."""
_SELECTORS = ("--thread", "--turn", "--fork", "--fork-if-busy")


def wait_command(turns: str, options: str = "") -> str:
    """The command that waits for turns; `options` begin with a space."""
    return f"{PROGRAM} wait {turns}{options}"


def bounded_wait(turn_id: str, *, may_ask: bool) -> str:
    """A wait that fits into the timeout of an agent's shell, and returns if the turn needs an answer."""
    return wait_command(turn_id, f" --timeout {WAIT_TIMEOUT_S}" + (" --until attention" if may_ask else ""))


def thread_busy(
    thread_id: str, holder: str, turn_id: str | None = None, pid: int | None = None, *, may_ask: bool = False
) -> BusyError:
    """The error for a thread that another process is writing.

    Args:
        holder: a description of it.
        turn_id: our turn that is writing it; `may_ask`: whether that may wait for an answer.
        pid: the process that is writing it, if that is not ours.
    """
    fork = "go on from a copy: the same command with --fork."
    first = f"`{bounded_wait(turn_id, may_ask=may_ask)}`" if turn_id else "wait for its end"
    hint = f"First: {first}, then the same command again. Or {fork}"
    error = BusyError(f"thread {thread_id} is being written by {holder}", hint=hint)
    error.holder, error.holder_pid = turn_id, pid
    return error


def thread_occupied(thread_id: str, reason: str) -> BusyError:
    """The error for a thread with something queued that Codex would run first: `reason` describes it."""
    hint = (
        f"Go on from a copy: the same command with --fork. Or first let Codex do what waits: `codex resume {thread_id}`"
    )
    error = BusyError(f"thread {thread_id} is not free: {reason}", hint=hint)
    error.occupied = thread_id
    return error


def resume(turn_id: str, prompt: str, flags: Flags, folder: str, **changed: list[str] | None) -> str:
    """The command for the next turn of a thread: only the directory and the images are certainly kept.

    Args:
        flags: the flags that the turn was started with.
        folder: the turn's directory.
        changed: flag values to replace, by name without dashes; None drops a flag.
    """
    arguments = _flag_args(_changed(flags, changed), folder, without=(*_SELECTORS, *_SERVER, _WORKTREE))
    return _command("continue", "--turn", turn_id, prompt, *arguments)


def go_on_with(request: TurnRequest) -> str:
    """The command for the next turn of its thread, with the prompt on stdin; the name is not reused."""
    return resume(request.turn_id, "-", request.flags or {}, folder_of(request), name=None)


def again(request: TurnRequest, **changed: list[str] | None) -> str:
    """The command for the same request on the same thread; `changed` as in `resume`."""
    if request.is_compaction:
        return _command("chat", "--thread", str(request.thread_id), "--cwd", request.cwd)
    if request.thread_id is None:
        return anew(request, **changed)
    flags = _changed(_with_selector(request), changed)
    selector = [word for name in _SELECTORS if name in flags for word in _flag(name, flags[name])]
    rest = _flag_args(flags, folder_of(request), without=_SELECTORS)
    return _command("continue", *selector, "--cwd", request.cwd, *_image_args(request), *rest, *_prompt_args(request))


def anew(request: TurnRequest, **changed: list[str] | None) -> str:
    """The command for the same request on a new thread; `changed` as in `resume`."""
    if request.is_compaction:
        return again(request)
    flags = _flag_args(_changed(request.flags or {}, changed), folder_of(request), without=_SELECTORS)
    if request.review is not None:
        return _command("review", "--cwd", request.cwd, *_review_args(request.review), *flags)
    return _command("new", "--cwd", request.cwd, *_image_args(request), *flags, *_prompt_args(request))


def commands_in(hint: str) -> list[str]:
    """The commands in a hint, in order; their quoted words may contain backticks."""
    return re.findall(_IN_HINT, hint)


def of_turn(verb: str, turn_id: str) -> str:
    """The command of a verb whose only argument is the turn."""
    return f"{PROGRAM} {verb} {turn_id}"


def folder_of(request: TurnRequest) -> str:
    """The turn's directory."""
    return (request.prompt_path or "").rpartition("/")[0]


def deadline_of(request: TurnRequest) -> float | None:
    """The `--deadline` that the turn was started with, in seconds; None without one, or if it is not a number."""
    try:
        return float((request.flags or {})["--deadline"][0])
    except (KeyError, IndexError, ValueError):
        return None


def seconds(value: float) -> str:
    """A duration as the value of a flag."""
    return f"{min(value, _LONGEST_S):.6f}".rstrip("0").rstrip(".")


def _command(*words: str) -> str:
    from shlex import join  # 1 ms that a turn without an error does not need

    return join([PROGRAM, *words])


def _changed(flags: Flags, changed: dict[str, list[str] | None]) -> Flags:
    named = {f"--{name.replace('_', '-')}": values for name, values in changed.items()}
    return {name: values for name, values in {**flags, **named}.items() if values is not None}


def _with_selector(request: TurnRequest) -> Flags:
    """The flags, including the thread's selector, which older versions did not record."""
    flags = request.flags or {}
    if "--thread" in flags or "--turn" in flags:
        return flags
    return {"--thread": [str(request.thread_id)], **({"--fork": []} if request.is_fork else {}), **flags}


def _flag_args(flags: Flags, folder: str, *, without: tuple[str, ...]) -> list[str]:
    """The flags as arguments; a schema without a path is the turn's own copy."""
    arguments = {**flags, "--schema": flags["--schema"] or [f"{folder}/schema.json"]} if "--schema" in flags else flags
    return [word for name, values in arguments.items() if name not in without for word in _flag(name, values)]


def _flag(name: str, values: list[str]) -> list[str]:
    return [word for value in values for word in (name, value)] if values else [name]


def _image_args(request: TurnRequest) -> list[str]:
    return [word for path in request.images for word in ("--image", path)]


def _prompt_args(request: TurnRequest) -> list[str]:
    return ["--file", request.prompt_path] if request.prompt_path is not None else ["-"]


def _review_args(review: dict[str, Any]) -> list[str]:
    """What a review is about, as flags."""
    for flag, member in (("--base", "branch"), ("--commit", "sha"), ("--instructions", "instructions")):
        if member in review:
            return [flag, str(review[member])]
    return ["--uncommitted"]
