"""A Codex profile: the file `P.config.toml` of `CODEX_HOME`, for which the app-server has no flag.

It is sent with the thread's configuration (protocol notes, section 12). Owns which keys count: the user's own file may
choose model, provider, servers and denials; the turn's flags decide all other access. Must never write to `CODEX_HOME`.
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
    """A profile's settings, and the warnings about it."""

    config: dict[str, Any]
    warnings: tuple[str, ...] = ()


def read_profile(codex_home: Path, name: str) -> Profile:
    """The profile of this name, without the keys that a turn's flags decide.

    Raises:
        BadInputError: there is none, or it cannot be read.
    """
    path = codex_home / f"{name}{_SUFFIX}"
    if path.name != f"{name}{_SUFFIX}" or path.parent != codex_home or not _is_file(path):
        raise BadInputError(f"no such profile: {name}", hint=_available(codex_home))
    from codex_server_cli.core.model.codex_toml import parse_file

    try:
        config = parse_file(path.read_bytes())
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}", hint="Check --profile.") from error
    except ValueError as error:
        raise BadInputError(f"the profile {path} is broken: {error}", hint="Fix it.") from error
    # The app-server reads a quoted key with dots as a path of keys, so its first part counts.
    left_out = {key: _LEFT_OUT[key.split(".")[0]] for key in config if _is_left_out(key, config[key])}
    warnings = [f"profile {name}: {key} has no effect: {why}" for key, why in left_out.items()]
    kept = {key: value for key, value in config.items() if key not in left_out}
    return Profile(as_json(kept, f"the profile {path}"), tuple(warnings))


def _is_left_out(key: str, value: Any) -> bool:
    """Whether a key is dropped. The user's own permission profile denies as in Codex; a built-in one only grants."""
    denies = key == "permissions" or (key == "default_permissions" and is_own(value))
    return key.split(".")[0] in _LEFT_OUT and not denies


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that no file can have
        return False


def profile_names(codex_home: Path) -> list[str]:
    """The names of all profiles."""
    return sorted(path.name.removesuffix(_SUFFIX) for path in codex_home.glob(f"?*{_SUFFIX}"))


def _available(codex_home: Path) -> str:
    names = profile_names(codex_home)
    if names:
        return f"There are: {', '.join(names)}."
    return f"There is none: a profile P is a file {codex_home}/P{_SUFFIX}."
