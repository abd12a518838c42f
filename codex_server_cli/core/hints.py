"""The next step after each kind of error. Owns the words and their commands; never decides which kind an error is.

A command in a hint stands between backticks and works as it stands, from any directory: ids and paths are filled in.
"""

from __future__ import annotations

from codex_server_cli.core.request import Sandbox, TurnRequest
from codex_server_cli.errors import ErrorKind

_HINTS = {
    ErrorKind.AUTH: "Log in with `codex login`, then: `{resume}`",
    ErrorKind.USAGE_LIMIT: "Wait until the limit resets, then: `{resume}`",
    ErrorKind.RATE_LIMIT: "Wait a moment, then: `{resume}`",
    ErrorKind.CONTEXT_WINDOW: "Start a new thread, handing over only what it needs; with the same prompt: `{anew}`",
    ErrorKind.NETWORK: "Check the network, then: `{resume}`",
    ErrorKind.OVERLOADED: "Wait a moment or choose another model with --model, then: `{resume}`",
    ErrorKind.BAD_REQUEST: "Mend what the message names (a model or an option may not fit), then: `{again}`",
    ErrorKind.BAD_SCHEMA: "Mend the schema or the prompt; the answer is kept: `codex-server answer {turn_id}`",
    ErrorKind.BAD_INPUT: "Mend what the message names, then ask again: `{again}`",
    ErrorKind.SANDBOX: "Codex's effective policy was not the one asked for; what it is: `codex-server doctor`",
    ErrorKind.THREAD_BUSY: "Another process is writing this thread: wait for its end, or fork it: `{fork}`",
    ErrorKind.THREAD_MISSING: "List the threads that exist: `codex-server list`",
    ErrorKind.CODEX_MISSING: "Install or update codex, then: `codex-server setup`",
    ErrorKind.CODEX_CRASHED: "What codex said last is in stderr_tail; to go on: `{resume}`",
    ErrorKind.PROTOCOL: "Codex and codex-server may not fit together: `codex-server doctor`",
    ErrorKind.DISK: "Free some space (`codex-server gc` deletes old turns), then: `{resume}`",
    ErrorKind.STALLED: "What had come is kept; to go on: `{resume}`",
    ErrorKind.DEADLINE: "Give a longer --deadline; to go on from here: `{resume}`",
    ErrorKind.CANCELLED: "What had come is kept; to go on: `{resume}`",
    ErrorKind.WORKER_DIED: "What had come is kept; to go on: `{resume}`",
    ErrorKind.INTERNAL: "A defect of codex-server: worker.log in the turn's directory tells more; to go on: `{resume}`",
}

KINDS_UNSEEN_TO_THE_END = frozenset(
    {ErrorKind.WORKER_DIED, ErrorKind.CODEX_CRASHED, ErrorKind.STALLED, ErrorKind.PROTOCOL}
)
"""Ends of ours that need not be Codex's: its own record may hold more than we saw."""


def hint_of(kind: ErrorKind, request: TurnRequest, *, is_resumable: bool) -> str:
    """The next step for a turn that ended with this kind, with its exact command.

    Args:
        is_resumable: whether the turn left a thread that `continue` can go on with; else it is to be asked again.
    """
    anew, again = _anew(request), _again(request)
    resume = f"codex-server continue --turn {request.turn_id} 'go on'" if is_resumable else again
    fork = again if request.is_fork or request.thread_id is None else f"{again} --fork"
    hint = _HINTS[kind].format(turn_id=request.turn_id, resume=resume, again=again, anew=anew, fork=fork)
    if is_resumable and kind in KINDS_UNSEEN_TO_THE_END:
        return f"Whether Codex had finished it tells `codex-server recover {request.turn_id}`. {hint}"
    return hint


def _again(request: TurnRequest) -> str:
    """The same question once more."""
    if request.thread_id is None:
        return _anew(request)
    from shlex import quote

    fork = " --fork" if request.is_fork else ""
    return f"codex-server continue --thread {quote(str(request.thread_id))}{fork}{_options(request)}"


def _anew(request: TurnRequest) -> str:
    """The same question in a new thread."""
    from shlex import quote  # 1 ms that a turn without an error needs not

    return f"codex-server new --cwd {quote(request.cwd)}{_options(request)}"


def _options(request: TurnRequest) -> str:
    from shlex import quote

    write = " --write" if request.sandbox is Sandbox.WORKSPACE_WRITE else ""
    return f"{write} --file {quote(request.prompt_path)}" if request.prompt_path is not None else f"{write} PROMPT"
