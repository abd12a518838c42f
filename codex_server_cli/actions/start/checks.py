"""The checks before a turn exists, one small function each. Owns the messages for bad input; must create nothing."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codex_server_cli.actions.start.options import is_path
from codex_server_cli.core.model.request import Sandbox, TurnRequest
from codex_server_cli.core.model.turn import is_turn_id, is_turn_id_end, is_turn_name
from codex_server_cli.errors import BadInputError, UsageError
from codex_server_cli.settings.environment import job_variables
from codex_server_cli.settings.places import Settings

_MAX_SCHEMA_BYTES = 4 * 1024 * 1024
_INHERITED = ("/dev/fd/", "/proc/self/fd/")
"""The path that a shell substitutes for `<(…)`: a pipe of ours, whose writer it has started."""
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC  # opening a FIFO would block

LOGIN_STAMP = ".looked-at-login"
"""The file in the home with the time of the last check that logind ends nothing at a logout: at most once a day,
because the check takes a millisecond and its result hardly ever changes."""
_DAY_S = 86400.0
_CGROUPS = "/proc/self/cgroup"


def check_cwd(cwd: str | None, flag: str = "--cwd") -> str:
    """The absolute directory to work in; the current one where None was given.

    Args:
        flag: the flag that it was given with.

    Raises:
        BadInputError: it does not exist, or is not a directory. Codex itself does not check that.
    """
    try:
        path = os.path.abspath(cwd) if cwd is not None else os.getcwd()  # noqa: PTH100, PTH109
    except OSError as error:
        raise BadInputError("the current directory is gone", hint="Give another with --cwd.") from error
    if cwd == "":  # a script's unset variable must not mean the current directory
        raise BadInputError("no such directory: ''", hint=f"Give an existing one with {flag}.")
    if not os.path.isdir(path):  # noqa: PTH112 — pathlib raises for names that no directory can have
        what = f"{path} is not a directory" if os.path.exists(path) else f"no such directory: {path}"  # noqa: PTH110
        raise BadInputError(what, hint=f"Give an existing one with {flag}.")
    if not os.access(path, os.R_OK | os.X_OK):
        raise BadInputError(f"cannot enter {path}", hint=f"Give another with {flag}.")
    return path


def check_git(*places: str) -> None:
    """Allow writing only where git can undo it; runs git.

    Args:
        places: the working directory and all further writable directories.

    Raises:
        BadInputError: one of them is in no git work tree, or git cannot be asked.
    """
    from codex_server_cli.worker.git.git import outside_of_work_tree  # only for turns that write

    hint = "Run it in a git work tree. Only the user can decide to do without, by --skip-git-check."
    for place in places:
        try:
            reason = outside_of_work_tree(Path(place))
        except BadInputError as error:
            message = f"{error.message}, so it is not known whether writing in {place} could be undone"
            raise BadInputError(message, hint=error.hint) from error
        if reason is not None:
            why = "" if reason.startswith(_NO_REPOSITORY) else f": {reason}"
            raise BadInputError(f"{place} is in no git work tree, so writing could not be undone{why}", hint=hint)


_NO_REPOSITORY = "not a git repository (or any "
"""The beginning of git's message that says the same as our own."""


def warn_of_open_home(settings: Settings, request: TurnRequest) -> tuple[str, ...]:
    """The warning for a turn that may write to our own records; `()` where it may not."""
    if request.sandbox is not Sandbox.WORKSPACE_WRITE:
        return ()  # read-only cannot write, and the name danger-full-access is warning enough
    home = os.path.realpath(settings.home)
    writable = (os.path.realpath(root) for root in (request.cwd, *request.writable_roots))
    around = next((root for root in writable if os.path.commonpath((home, root)) == root), None)
    return (f"this turn may write in {around}, and so change codex-server's own records in {home}",) if around else ()


def warn_of_surroundings(settings: Settings) -> str | None:
    """The warning, given once, for a background turn that will end together with its systemd unit, login or CI job.

    In the usual case it reads one small file, and imports nothing.
    """
    looked = settings.home / LOGIN_STAMP
    if not (job_variables() or _is_in_unit(looked)):
        return None
    from codex_server_cli.actions.start.surroundings import warn_once

    return warn_once(settings, looked)


def _is_in_unit(looked: Path) -> bool:
    """Whether systemd, where there is one, runs us in a service, or in a login that was not checked today."""
    try:
        with open(_CGROUPS, "rb") as file:  # noqa: PTH123 — faster, at every start
            cgroups = file.read()
    except OSError:  # macOS
        return False
    if b".service\n" in cgroups:
        return True
    return b"/session-" in cgroups and not _was_looked_at_today(looked)


def _was_looked_at_today(stamp: Path) -> bool:
    try:
        return 0 <= time.time() - stamp.lstat().st_mtime < _DAY_S
    except OSError:  # never, or the home has just been deleted
        return False


def warn_of_unknown_reset(settings: Settings) -> tuple[str, ...]:
    """The warning for `--after-reset` where the reset time of the usage limit is not known; else `()`."""
    from codex_server_cli.disk.known_limit import last_known_limit, login_s

    known = last_known_limit(settings.turns_path)
    if known is None or not known.is_met or known.until_s is not None or login_s(settings.codex_home) > known.told_s:
        return ()
    return (
        "no time is known at which the last usage limit resets: unless Codex reports one, this turn starts at once",
    )


def check_encodable(request: TurnRequest) -> None:
    """Check that all that is sent to Codex is UTF-8: it drops any other line without a response.

    Raises:
        BadInputError: something is not, for instance an old directory name in another encoding.
    """
    fields = request.to_json()
    del fields["flags"], fields["schema_source"]  # not sent to Codex; may contain any file name
    for name, value in fields.items():
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise BadInputError(f"{name} is not valid UTF-8: {value!r}", hint="Codex takes only UTF-8.") from error


def check_name(settings: Settings, name: str) -> None:
    """Check that a name begins with a letter, does not look like an id, and is not `last` or another turn's short id.

    Raises:
        BadInputError: it breaks one of these rules.
    """
    if not is_turn_name(name) or is_turn_id(name):
        hint = "A name begins with a letter; then letters, digits, '_', '.', '-'; 64 at most; not 'last'."
        raise BadInputError(f"not a turn name: {name!r}", hint=hint)
    if is_turn_id_end(name):
        from codex_server_cli.disk.turn.lookup import turn_ids  # few names look so

        meant = next((turn_id for turn_id in turn_ids(settings.turns_path) if turn_id.endswith(f"-{name}")), None)
        if meant is not None:
            raise BadInputError(f"{name} is the short id of {meant}", hint="Choose one that ends no id.")


def check_deadline(deadline_s: float | None, flag: str = "--deadline") -> float | None:
    """A deadline must be more than 0 seconds.

    Raises:
        UsageError: it is not.
    """
    if deadline_s is not None and not deadline_s > 0:
        raise UsageError(f"{flag} must be more than 0 seconds, not {deadline_s:g}")
    return deadline_s


def check_add_dirs(
    add_dirs: tuple[str, ...], sandbox: Sandbox, check: Callable[[str, str], str] = check_cwd
) -> tuple[str, ...]:
    """The further writable directories, absolute; `check` checks one.

    Raises:
        UsageError: the sandbox is not `workspace-write`.
        BadInputError: one does not exist.
    """
    if add_dirs and sandbox is not Sandbox.WORKSPACE_WRITE:
        raise UsageError("--add-dir needs --write", hint="It adds a directory to those that --write opens.")
    return tuple(check(folder, "--add-dir") for folder in add_dirs)


def read_schema(source: str) -> dict[str, Any]:
    """The JSON Schema in a file, or in `source` itself.

    Raises:
        BadInputError: it cannot be read, is no JSON Schema, or breaks OpenAI's strict rules.
    """
    from codex_server_cli.core.result.schema import parse_schema

    if not is_path(source):
        if len(source) > _MAX_SCHEMA_BYTES:
            raise BadInputError(f"the schema is larger than {_MAX_SCHEMA_BYTES} bytes", hint="Make it smaller.")
        return parse_schema(source, "the schema")
    is_inherited = source.startswith(_INHERITED)
    try:
        with open(os.open(source, os.O_RDONLY if is_inherited else _OPEN), "rb") as file:  # noqa: PTH123 — a descriptor
            if not is_inherited and not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise BadInputError(f"{source} is not a regular file", hint="Check --schema.")
            text = file.read(_MAX_SCHEMA_BYTES + 1).decode("utf-8")
    except IsADirectoryError as error:
        raise BadInputError(f"{source} is not a regular file", hint="Check --schema.") from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadInputError(f"cannot read the schema {source}: {reason}", hint="Check --schema.") from error
    if len(text) > _MAX_SCHEMA_BYTES:
        raise BadInputError(f"the schema {source} is larger than {_MAX_SCHEMA_BYTES} bytes", hint="Check --schema.")
    return parse_schema(text, source)


def parse_overrides(pairs: tuple[str, ...]) -> dict[str, Any] | None:
    """`key=value` overrides of Codex's configuration, as `codex -c` takes them.

    Raises:
        UsageError: a pair has no `=`, or its key decides trust, payer or sandbox.
    """
    if not pairs:
        return None
    from codex_server_cli.core.model.codex_toml import parse_value

    overrides: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        key = key.strip()
        if not equals or not key:
            raise UsageError(f"--config takes key=value, not {pair!r}")
        first = key.split(".")[0].strip(
            " \t\"'"
        )  # to Codex quotes are part of a name; the user means the name without them
        if first in _GUARDED_KEYS:
            raise UsageError(f"--config must not set {key}", hint=_GUARDED_KEYS[first])
        overrides[key] = as_json(parse_value(value), f"--config {key}")
    return overrides


def as_json(value: Any, source: str) -> Any:
    """A TOML value converted to JSON types: a date becomes text.

    Raises:
        BadInputError: it cannot be converted: `nan`, `inf`, or nested too deeply.
    """
    try:
        return json.loads(json.dumps(value, default=str, allow_nan=False))
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{source}: not a value that Codex takes: {error}"[:300], hint="Fix it.") from error


_GUARDED_KEYS = {
    "projects": "Trust is yours to give, in Codex's own config.toml: it makes Codex run a repository's .codex/.",
    "profile": "Who serves, and who pays, is decided in Codex's own config.toml.",
    "openai_base_url": "Who serves, and who pays, is decided in Codex's own config.toml.",
    "chatgpt_base_url": "Who serves, and who pays, is decided in Codex's own config.toml.",
    "model_provider": "Who serves, and who pays, is decided in Codex's own config.toml.",
    "model_providers": "Who serves, and who pays, is decided in Codex's own config.toml.",
    "sandbox_mode": "Use --sandbox or --write.",
    "default_permissions": "What is denied is decided in Codex's own config.toml, or in the file of a --profile.",
    "permissions": "What is denied is decided in Codex's own config.toml, or in the file of a --profile.",
    "approval_policy": "Use --approval.",
    "approvals_reviewer": "Use --approval.",
}


def check_nesting(settings: Settings, *, may_nest: bool) -> str | None:
    """The turn that we were started from; None outside of any.

    Raises:
        UsageError: that turn was itself started from a turn: a third level of nesting.
    """
    parent = settings.parent_turn
    if parent is None or not is_turn_id(parent):
        return None
    from codex_server_cli.disk.turn.contents import meta_of  # only in a turn
    from codex_server_cli.disk.turn.layout import TurnDir

    meta = meta_of(TurnDir(settings.turns_path / parent))
    if meta.get("parent_turn") is not None and not may_nest:
        message = f"turn {parent} was itself started from a turn; a third level is refused"
        raise UsageError(message, hint="Only the user can allow it, by --allow-nested.")
    return parent
