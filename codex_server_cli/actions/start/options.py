"""The input of a start: the options as a front end parsed them, and the thread to continue. Pure values."""

from __future__ import annotations

from typing import Any, NamedTuple

from codex_server_cli.core.model.request import Approval, Flags, Sandbox

ONCE_FOR_S = 86400.0
"""How long a key of `--once` stands for its turn by default."""


class Once(NamedTuple):
    """The key under which a turn is started once; stored in `meta.json`.

    Attributes:
        key: any line of text.
        for_s: how long ago its turn may have been started at most, by this call.
        asked: what makes the call, to tell another one by (`actions.start.once`).
    """

    key: str
    for_s: float = ONCE_FOR_S
    asked: Flags | None = None


class GivenServer(NamedTuple):
    """The app-server that a command is to use, as it was given: not checked yet.

    Attributes:
        url: its address; None leaves that to the turn that is continued, or to `config.json`.
        token_file, token_env: the file, or the variable, that holds its token.
        is_insecure: the token may go unencrypted to another host.
    """

    url: str | None = None
    token_file: str | None = None
    token_env: str | None = None
    is_insecure: bool = False


class StartOptions(NamedTuple):
    """What the user asked for, as a front end parsed it; see the flags of `new`. None means the default."""

    prompt: str
    cwd: str | None = None
    model: str | None = None
    effort: str | None = None
    schema: str | None = None
    images: tuple[str, ...] = ()
    sandbox: Sandbox | None = None
    add_dirs: tuple[str, ...] = ()
    has_network: bool = False
    config: tuple[str, ...] = ()
    profile: str | None = None
    approval: Approval = Approval.NEVER
    approval_timeout_s: float | None = None
    may_ask_questions: bool = False
    is_plan: bool = False
    review: dict[str, Any] | None = None
    is_after_reset: bool = False
    notify: str | None = None
    is_ephemeral: bool = False
    name: str | None = None
    deadline_s: float | None = None
    may_skip_git_check: bool = False
    may_nest: bool = False
    once: Once | None = None
    has_worktree: bool = False
    worktree_name: str | None = None
    server: GivenServer | None = None

    @property
    def may_ask(self) -> bool:
        """Whether the turn may come to wait for a person."""
        return self.approval is Approval.ASK or self.may_ask_questions or self.is_plan


class ThreadChoice(NamedTuple):
    """The thread that a turn continues.

    Attributes:
        thread_id: Codex's id.
        cwd: the thread's working directory, if known.
        resumed_from: our turn that it was selected by, if any.
        fork_after: Codex's id of the last turn to keep, for a fork after one of our turns.
        model: its last model, if known.
        worktree: the record of the worktree of ours that `cwd` lies in; see `worker.git.turn_worktree`.
        server: `server` of the `meta.json` of `resumed_from`; None where that turn had an app-server of its own.
    """

    thread_id: str
    cwd: str | None
    resumed_from: str | None = None
    fork_after: str | None = None
    model: str | None = None
    worktree: dict[str, Any] | None = None
    server: dict[str, Any] | None = None
