"""A profile of Codex's: the file `P.config.toml` of `CODEX_HOME`, which the app-server has no flag for.

It is handed over with the thread's configuration (protocol notes, section 12). Owns what of it counts: it is the user's
own file, so model, provider, servers and what is denied are his to choose; what a turn may touch beyond that stays with
the flags of the turn.
Must never write to `CODEX_HOME`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from codex_server_cli.actions.start.checks import as_json
from codex_server_cli.core.session.permissions import is_own
from codex_server_cli.errors import BadInputError

_SUFFIX = ".config.toml"
_LEFT_OUT = {
    **dict.fromkeys(("sandbox_mode", "sandbox_workspace_write"), "use --sandbox, --write, --add-dir and --network"),
    **dict.fromkeys(("permissions", "default_permissions"), "use --sandbox, --write, --add-dir and --network"),
    **dict.fromkeys(("approval_policy", "approvals_reviewer"), "use --approval"),
    "projects": "trust is given in config.toml alone",
    "profile": "a profile names no other",
}


class Profile(NamedTuple):
    """What a profile sets, and what is to be said about it."""

    config: dict[str, Any]
    warnings: tuple[str, ...] = ()


def read_profile(codex_home: Path, name: str) -> Profile:
    """The profile of this name, less what a turn's own flags decide.

    Raises:
        BadInputError: there is none, or it cannot be read.
    """
    path = codex_home / f"{name}{_SUFFIX}"
    if path.name != f"{name}{_SUFFIX}" or path.parent != codex_home or not _is_file(path):
        raise BadInputError(f"no such profile: {name}", hint=_those_there_are(codex_home))
    from codex_server_cli.core.model.codex_toml import parse_file

    try:
        config = parse_file(path.read_bytes())
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}", hint="Check --profile.") from error
    except ValueError as error:
        raise BadInputError(f"the profile {path} is broken: {error}", hint="Mend it.") from error
    # The app-server takes a quoted key with dots in it as the path to a key: what counts is where that begins.
    left_out = {key: _LEFT_OUT[key.split(".")[0]] for key in config if _is_left_out(key, config[key])}
    warnings = [f"profile {name}: {key} has no effect: {why}" for key, why in left_out.items()]
    kept = {key: value for key, value in config.items() if key not in left_out}
    return Profile(as_json(kept, f"the profile {path}"), tuple(warnings))


def _is_left_out(key: str, value: Any) -> bool:
    """A permission profile of the user's own denies here as it does in Codex; a built-in one would only grant."""
    denies = key == "permissions" or (key == "default_permissions" and is_own(value))
    return key.split(".")[0] in _LEFT_OUT and not denies


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that no file can have
        return False


def _those_there_are(codex_home: Path) -> str:
    names = sorted(path.name.removesuffix(_SUFFIX) for path in codex_home.glob(f"?*{_SUFFIX}"))
    if names:
        return f"There are: {', '.join(names)}."
    return f"There is none: a profile P is a file {codex_home}/P{_SUFFIX}."
