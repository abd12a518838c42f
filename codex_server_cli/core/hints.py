"""The next step after each kind of error. Owns the words and their commands; never decides which kind an error is.

A command in a hint stands between backticks and works as it stands, from any directory: ids, paths and the options
of the turn are filled in. What of them is not known (where the schema lies) is said after it, in words.
"""

from __future__ import annotations

import json
from typing import Any

from codex_server_cli.core.request import APPROVAL_TIMEOUT_S, Approval, Sandbox, TurnRequest
from codex_server_cli.errors import ErrorKind

UNREACHED = "Check the network, then: {resume}"
"""Words for a turn that never got through to the model."""

CUT_SHORT = "The model stopped at a limit of its own; what had come is kept; {go_on}"
"""Words for an answer that the service broke off."""

OCCUPIED = "Ask on a copy of the thread: {fork}; or first let Codex do what waits in it: `codex resume {thread_id}`"
"""Words for a thread in which something waits that Codex would run before any turn of ours."""

_KEPT = "What had come is kept; "
_HINTS = {
    ErrorKind.AUTH: "Log in with `codex-server login`, then: {resume}",
    ErrorKind.USAGE_LIMIT: "This waits until the limit has reset, and goes on then: {resume}",
    ErrorKind.RATE_LIMIT: "Wait a moment, then: {resume}",
    ErrorKind.CONTEXT_WINDOW: "Start a new thread, handing over only what it needs; with the same prompt: {anew}",
    ErrorKind.NETWORK: UNREACHED,
    ErrorKind.OVERLOADED: "Wait a moment or choose another model with --model, then: {resume}",
    ErrorKind.BAD_REQUEST: "Mend what the message names (a model or an option may not fit), then: {again}",
    ErrorKind.BAD_SCHEMA: "Mend the schema or the prompt; the answer is kept: `codex-server answer {turn_id}`",
    ErrorKind.BAD_INPUT: "Mend what the message names, then ask again: {again}",
    ErrorKind.SANDBOX: "Codex's effective policy was not the one asked for; what it is: `codex-server doctor`",
    ErrorKind.THREAD_BUSY: "Another process is writing this thread: wait for its end, or fork it: {fork}",
    ErrorKind.THREAD_MISSING: "List the threads that exist: `codex-server list`",
    ErrorKind.CODEX_MISSING: "Install or update codex, then: `codex-server setup`",
    ErrorKind.CODEX_CRASHED: "What codex said last is in stderr_tail; {go_on}",
    ErrorKind.PROTOCOL: "Codex and codex-server may not fit together: `codex-server doctor`",
    ErrorKind.DISK: "Free some space (`codex-server gc` deletes old turns), then: {resume}",
    ErrorKind.STALLED: "{kept}{go_on}",
    ErrorKind.DEADLINE: "Give a longer --deadline; to go on from here: {resume}",
    ErrorKind.CANCELLED: "{kept}{go_on}",
    ErrorKind.WORKER_DIED: "{kept}{go_on}",
    ErrorKind.INTERNAL: "A defect of codex-server: worker.log in the turn's directory tells more; {go_on}",
}
_DEADLINE_LEFT_NOTHING = "To ask again, without a deadline or with a longer --deadline: {again}"

KINDS_UNSEEN_TO_THE_END = frozenset(
    {ErrorKind.WORKER_DIED, ErrorKind.CODEX_CRASHED, ErrorKind.STALLED, ErrorKind.PROTOCOL}
)
"""Ends of ours that need not be Codex's: its own record may hold more than we saw."""


def hint_of(
    kind: ErrorKind, request: TurnRequest, *, is_resumable: bool, has_begun: bool = False, words: str | None = None
) -> str:
    """The next step for a turn that ended with this kind, with its exact command.

    Args:
        is_resumable: whether the turn left a thread that `continue` can go on with; else it is to be asked again.
        has_begun: whether Codex took the turn up, so that something may have come; a resumable one did.
        words: `UNREACHED`, `CUT_SHORT` or `OCCUPIED`, where they say more than those of the kind.
    """
    if kind is ErrorKind.DEADLINE:
        request = request._replace(deadline_s=None)  # the same one again would pass again
        words = None if is_resumable else _DEADLINE_LEFT_NOTHING
    if kind is ErrorKind.USAGE_LIMIT:
        request = request._replace(is_after_reset=True)
    again = _again(request)
    goes_on = is_resumable and request.review is None  # a review that was cut short is asked for anew
    resume = _resume(request) if goes_on else again
    commands = {
        "resume": _shown(resume, request),
        "again": _shown(again, request),
        "anew": _shown(_anew(request), request),
        "fork": _shown(again if request.is_fork or request.thread_id is None else f"{again} --fork", request),
    }
    go_on = f"to {'go on' if goes_on else 'ask again'}: {commands['resume']}"
    kept = _KEPT if is_resumable or has_begun else ""
    facts = {"turn_id": request.turn_id, "thread_id": request.thread_id}
    hint = (words or _HINTS[kind]).format(go_on=go_on, kept=kept, **facts, **commands)
    hint = hint[0].upper() + hint[1:]
    if is_resumable and kind in KINDS_UNSEEN_TO_THE_END and words is None:
        return f"Whether Codex had finished it tells `codex-server recover {request.turn_id}`. {hint}"
    return hint


def _shown(command: str, request: TurnRequest) -> str:
    return f"`{command}`" + (", with your --schema" if request.schema is not None else "")


def _resume(request: TurnRequest) -> str:
    """The next turn of its thread, which keeps the directory and the model, and never the sandbox."""
    return _joined("continue", "--turn", request.turn_id, "go on", *_policy(request), *_settings(request))


def _again(request: TurnRequest) -> str:
    """The same question once more."""
    if request.thread_id is None:
        return _anew(request)
    fork = ["--fork"] if request.is_fork else []
    return _joined("continue", "--thread", str(request.thread_id), *fork, *_options(request), *_prompt(request))


def _anew(request: TurnRequest) -> str:
    """The same question in a new thread."""
    if request.review is not None:
        return _joined("review", "--cwd", request.cwd, *_target(request.review), *_options(request))
    return _joined("new", "--cwd", request.cwd, *_options(request), *_prompt(request))


def _joined(*words: str) -> str:
    from shlex import join  # 1 ms that a turn without an error needs not

    return join(["codex-server", *words])


def _policy(request: TurnRequest) -> list[str]:
    """What the commands of the turn may touch, and who is asked, as flags."""
    flags = {
        Sandbox.READ_ONLY: [],
        Sandbox.WORKSPACE_WRITE: ["--write", "--skip-git-check"],  # it was allowed to write there, git or not
        Sandbox.DANGER_FULL_ACCESS: ["--sandbox", str(Sandbox.DANGER_FULL_ACCESS), "--skip-git-check"],
    }[request.sandbox]
    timeout = [f"{request.approval_timeout_s:g}"] if request.approval_timeout_s != APPROVAL_TIMEOUT_S else []
    return [
        *flags,
        *_each("--add-dir", request.writable_roots),
        *(["--network"] if request.has_network else []),
        *_each("--approval", [str(request.approval)] if request.approval is not Approval.NEVER else []),
        *_each("--approval-timeout", timeout),
        *(["--questions"] if request.may_ask_questions else []),
        *(["--plan"] if request.is_plan else []),
    ]


def _settings(request: TurnRequest) -> list[str]:
    """What no thread keeps, as flags."""
    config = [f"{key}={_toml(value)}" for key, value in (request.config or {}).items()]
    return [
        *_each("--profile", _if_any(request.profile)),
        *_each("--config", config),
        *_each("--notify", _if_any(request.notify)),
        *(["--after-reset"] if request.is_after_reset else []),
    ]


def _target(review: dict[str, Any]) -> list[str]:
    """What a review is about, as flags."""
    for flag, member in (("--base", "branch"), ("--commit", "sha"), ("--instructions", "instructions")):
        if member in review:
            return [flag, str(review[member])]
    return ["--uncommitted"]


def _options(request: TurnRequest) -> list[str]:
    """The options of the turn, as flags."""
    # It may be less than was asked for, by the time that the turn stood in line: whole seconds, rounded up.
    deadline = [f"{-int(-request.deadline_s // 1)}"] if request.deadline_s is not None else []
    return [
        *_policy(request),
        *_each("--model", _if_any(request.model)),
        *_each("--effort", _if_any(request.effort)),
        *_each("--image", request.images),
        *_settings(request),
        *(["--ephemeral"] if request.is_ephemeral else []),
        *_each("--deadline", deadline),
    ]


def _prompt(request: TurnRequest) -> list[str]:
    return ["--file", request.prompt_path] if request.prompt_path is not None else ["PROMPT"]


def _if_any(value: str | None) -> list[str]:
    return [value] if value is not None else []


def _each(flag: str, values: list[str] | tuple[str, ...]) -> list[str]:
    return [word for value in values for word in (flag, value)]


def _toml(value: Any) -> str:
    """A value of Codex's configuration as `--config` reads it back."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(key)} = {_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", r"\u007f")
    return str(value).lower()  # true and false, and numbers as they are
