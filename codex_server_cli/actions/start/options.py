"""The input of a start: the options as a front end parsed them, and the thread to continue. Pure values.

Owns what the flags of `new` mean together, for every front end. Must never inspect the machine: the checks do that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from codex_server_cli.core.duration import parse_duration_s
from codex_server_cli.core.model.request import Approval, Flags, Sandbox
from codex_server_cli.errors import UsageError

DATA_URL = "data:image/"
"""The prefix of a picture's data URL."""

ONCE_FOR_S = 86400.0
"""How long a key of `--once` is valid by default."""


class Once(NamedTuple):
    """The key under which a turn is started once; stored in `meta.json`.

    Attributes:
        key: any line of text.
        for_s: the maximum age of its turn for this call.
        asked: the call, to recognise a different one (`actions.start.once`).
    """

    key: str
    for_s: float = ONCE_FOR_S
    asked: Flags | None = None


class GivenServer(NamedTuple):
    """The app-server that a command is to use, as given: not checked yet.

    Attributes:
        url: its address; None means that of the continued turn, or of `config.json`.
        token_file, token_env: the file, or the environment variable, that holds its token.
        is_insecure: the token may go unencrypted to another host.
    """

    url: str | None = None
    token_file: str | None = None
    token_env: str | None = None
    is_insecure: bool = False


class StartOptions(NamedTuple):
    """What the user asked for, as a front end parsed it; see the flags of `new`. None means the default.

    Attributes:
        schema: a file's path, or the JSON Schema itself, which begins with a brace.
        images: paths, or data URLs of the pictures themselves.
        echo: JSON that the front end repeats when it shows the turn; kept in `meta.json`, never interpreted.
    """

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
    is_compaction: bool = False
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
    echo: Mapping[str, Any] | None = None

    @property
    def may_ask(self) -> bool:
        """Whether the turn may have to wait for a person."""
        return self.approval is Approval.ASK or self.may_ask_questions or self.is_plan


class ThreadChoice(NamedTuple):
    """The thread that a turn continues.

    Attributes:
        thread_id: Codex's id.
        cwd: the thread's working directory, if known.
        resumed_from: our turn that selected it, if any.
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


def is_path(given: str) -> bool:
    """Whether a schema or an image is given as a path; else it is the content itself."""
    return not given.lstrip().startswith("{") and not given.startswith(DATA_URL)


def from_flags(given: Mapping[str, Any], prompt: str) -> StartOptions:
    """The options for the flags of `new`; each front end parses its own notation of them first.

    Args:
        given: the value of each flag by its long name, with underscores; durations as text.

    Raises:
        UsageError: one is empty, or they contradict each other.
    """
    for name in ("model", "effort", "schema", "profile", "notify", "once"):
        if given[name] is not None and not given[name].strip():  # an unset variable of a script
            raise UsageError(f"--{name} is empty")
    if given["write"] and given["sandbox"] not in (None, Sandbox.WORKSPACE_WRITE):
        raise UsageError(f"--write and --sandbox {given['sandbox']} exclude each other")
    options = StartOptions(
        prompt=prompt,
        cwd=given["cwd"],
        model=given["model"],
        effort=given["effort"],
        schema=given["schema"],
        images=tuple(given["image"]),
        sandbox=Sandbox.WORKSPACE_WRITE if given["write"] else given["sandbox"],
        add_dirs=tuple(given["add_dir"]),
        has_network=given["network"],
        config=tuple(given["config"]),
        profile=given["profile"],
        approval=given["approval"],
        approval_timeout_s=_seconds(given["approval_timeout"], "--approval-timeout"),
        may_ask_questions=given["questions"],
        is_plan=given["plan"],
        is_ephemeral=given["ephemeral"],
        name=given["name"],
        deadline_s=_seconds(given["deadline"], "--deadline"),
        is_after_reset=given["after_reset"],
        notify=given["notify"],
        may_skip_git_check=given["skip_git_check"],
        may_nest=given["allow_nested"],
        once=_once(given["once"], given["once_for"]),
        has_worktree=given["worktree"] or given["worktree_name"] is not None,
        worktree_name=given["worktree_name"],
        server=server_of(given),
    )
    if given["approval_timeout"] is not None and not options.may_ask:
        raise UsageError("--approval-timeout needs --approval ask, --questions or --plan", hint="Nothing else waits.")
    return options


def server_of(given: Mapping[str, Any]) -> GivenServer | None:
    """The app-server that the flags name; None where they give neither a server nor a token.

    Raises:
        UsageError: one is empty, or there are two tokens.
    """
    flags = {name: given[name] for name in ("server", "server_token_file", "server_token_env")}
    if not (any(value is not None for value in flags.values()) or given["insecure"]):
        return None
    for name, value in flags.items():
        if value is not None and not value.strip():  # an unset variable of a script
            raise UsageError(f"--{name.replace('_', '-')} is empty")
    if flags["server_token_file"] is not None and flags["server_token_env"] is not None:
        raise UsageError("--server-token-file and --server-token-env exclude each other")
    return GivenServer(flags["server"], flags["server_token_file"], flags["server_token_env"], given["insecure"])


def _once(key: str | None, once_for: str | None) -> Once | None:
    if once_for is None:
        return Once(key) if key is not None else None
    if key is None:
        raise UsageError("--once-for needs --once")
    for_s = parse_duration_s(once_for, "--once-for", needs_unit=True)
    if not for_s:
        raise UsageError("--once-for must be more than 0 seconds")
    return Once(key, for_s)


def _seconds(text: str | None, flag: str) -> float | None:
    return parse_duration_s(text, flag) if text is not None else None
