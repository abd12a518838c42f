"""The environment and `config.json`, read once, as frozen values. The only reader of `os.environ`.

Must never write (that is `setup`'s) or look at anything else on disk.
"""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codex_server_cli.errors import BadInputError

TURN_VARIABLE = "CODEX_SERVER_TURN_ID"
"""Marks every process of a turn, so that none outlives it; tells us too that we run inside one."""

_API_KEY_VARIABLES = ("OPENAI_API_KEY", "CODEX_API_KEY", "CODEX_ACCESS_TOKEN")
_SANDBOXES = ("read-only", "workspace-write", "danger-full-access")
_DEFAULT_GC_DAYS = 7.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are, as the environment says.

    Attributes:
        home: `$CODEX_SERVER_HOME`, default `~/.codex-server`.
        codex_home: `$CODEX_HOME`, default `~/.codex`; Codex's own rule, an empty value counts as unset.
        user_home: the user's home directory.
        search_path: `$PATH`.
        parent_turn: the turn that we were started from, if any.
    """

    home: Path
    codex_home: Path
    user_home: Path
    search_path: str
    parent_turn: str | None

    @property
    def turns_path(self) -> Path:
        """Where the turn directories are."""
        return self.home / "turns"

    @property
    def config_path(self) -> Path:
        """Our configuration."""
        return self.home / "config.json"

    @classmethod
    def load(cls) -> Settings:
        """Read the environment; touches no file."""
        user_home = _user_home()
        return cls(
            home=_directory("CODEX_SERVER_HOME", user_home / ".codex-server"),
            codex_home=_directory("CODEX_HOME", user_home / ".codex"),
            user_home=user_home,
            search_path=os.environ.get("PATH", os.defpath),
            parent_turn=os.environ.get(TURN_VARIABLE) or None,
        )


def _user_home() -> Path:
    home = os.environ.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir  # Codex's rule too: HOME unset → passwd
    return Path(home)


def _directory(variable: str, default: Path) -> Path:
    value = os.environ.get(variable)
    return Path(os.path.abspath(value)) if value else default  # noqa: PTH100 — must not resolve links


def worker_environment(turn_id: str) -> dict[str, str]:
    """The environment of a worker: the caller's, marked with its own turn instead of the caller's."""
    return {**os.environ, TURN_VARIABLE: turn_id}


def codex_environment(*, may_bill_api_key: bool) -> dict[str, str]:
    """The environment of a codex process: ours, less what could make it bill an API key.

    Everything else stays: an allow-list would lose proxies, CA bundles and `CODEX_HOME`.
    """
    left_out = () if may_bill_api_key else _API_KEY_VARIABLES
    return {name: value for name, value in os.environ.items() if name not in left_out}


def demo_environment(home: Path, codex_home: Path) -> dict[str, str]:
    """The environment of the demo's commands: ours, in a throw-away home, outside of any turn."""
    environment = {name: value for name, value in os.environ.items() if name != TURN_VARIABLE}
    return environment | {"CODEX_SERVER_HOME": str(home), "CODEX_HOME": str(codex_home)}


@dataclass(frozen=True, slots=True)
class Config:
    """`config.json`. `warnings` names what was not understood; `extra` keeps it for the next write."""

    codex: str | None = None
    may_bill_api_key: bool = False
    max_running: int = 8
    server: str | None = None
    model: str | None = None
    sandbox: str | None = None
    notify: str | None = None
    gc_days: float = _DEFAULT_GC_DAYS
    warnings: tuple[str, ...] = ()


_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "codex": (lambda value: isinstance(value, str), "a path"),
    "auth": (lambda value: value in ("chatgpt", "any"), '"chatgpt" or "any"'),
    "max_running": (lambda value: _is_number(value) and value >= 1 and int(value) == value, "a whole number from 1"),
    "server": (lambda value: isinstance(value, str), "a URL"),
    "model": (lambda value: isinstance(value, str), "a model's name"),
    "sandbox": (lambda value: value in _SANDBOXES, "one of " + ", ".join(_SANDBOXES)),
    "notify": (lambda value: isinstance(value, str), "a command"),
    "gc_days": (lambda value: _is_number(value) and value > 0, "a number of days"),
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def read_config(path: Path) -> Config:
    """Read `config.json`; a missing file is an empty one, an unknown key a warning.

    Raises:
        BadInputError: it cannot be read, is no JSON object, or a key has a value that cannot be meant.
    """
    values = read_config_values(path)
    for name, (is_valid, wanted) in _RULES.items():
        if values.get(name) is not None and not is_valid(values[name]):
            raise BadInputError(f"{path}: {name} must be {wanted}, not {values[name]!r}", hint=f"Mend {path}.")
    unknown = [f"{path}: unknown key {name!r} is ignored" for name in values if name not in _RULES]
    known = {name: values[name] for name in _RULES if values.get(name) is not None and name != "auth"}
    return Config(**known, may_bill_api_key=values.get("auth") == "any", warnings=tuple(unknown))


def read_config_values(path: Path) -> dict[str, Any]:
    """The JSON object of `config.json` as it stands; `{}` where there is no file.

    Raises:
        BadInputError: as `read_config`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"cannot read {path}: {error}", hint=f"Mend {path}, or delete it.") from error
    try:
        values = json.loads(text)
    except ValueError as error:
        raise BadInputError(f"{path} is not JSON: {error}", hint=f"Mend {path}, or delete it.") from error
    if not isinstance(values, dict):
        raise BadInputError(f"{path} does not hold a JSON object", hint=f"Mend {path}, or delete it.")
    return values
