"""Owns the keys of `config.json`, and reading it. Must never write it: `actions.config_file` does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from codex_server_cli.errors import BadInputError, HomeError

_SANDBOXES = ("read-only", "workspace-write", "danger-full-access")
_DEFAULT_GC_DAYS = 7.0
_DEFAULT_GC_NAMED_DAYS = 30.0
DEFAULT_SERVER_IDLE_S = 30 * 60.0


class Config(NamedTuple):
    """`config.json`. `warnings` lists ignored keys; `settings.serve` checks the content of `serve`."""

    codex: str | None = None
    may_bill_api_key: bool = False
    max_running: int = 8
    server: str | None = None
    server_command: str | None = None
    model: str | None = None
    sandbox: str | None = None
    notify: str | None = None
    gc_days: float = _DEFAULT_GC_DAYS
    gc_named_days: float = _DEFAULT_GC_NAMED_DAYS
    keeps_events: bool = False
    server_idle: float = DEFAULT_SERVER_IDLE_S
    remote_control: bool = False
    serve: dict[str, Any] | None = None
    warnings: tuple[str, ...] = ()


_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "codex": (lambda value: isinstance(value, str) and Path(value).is_absolute(), "an absolute path"),
    "auth": (lambda value: value in ("chatgpt", "any"), '"chatgpt" or "any"'),
    "max_running": (
        lambda value: _is_number(value) and value >= 1 and value % 1 == 0,
        "a whole number from 1",
    ),
    "server": (lambda value: isinstance(value, str), "the address of an app-server"),
    "server_command": (lambda value: isinstance(value, str) and bool(value.strip()), "a command of the other host"),
    "model": (lambda value: isinstance(value, str), "a model's name"),
    "sandbox": (lambda value: value in _SANDBOXES, "one of " + ", ".join(_SANDBOXES)),
    "notify": (lambda value: isinstance(value, str), "a command"),
    "events": (lambda value: value in ("compact", "full"), '"compact" or "full"'),
    "server_idle": (lambda value: _is_number(value) and value > 0, "more than 0 seconds"),
    "remote_control": (lambda value: isinstance(value, bool), "true or false"),
    "serve": (lambda value: isinstance(value, dict), "an object"),
    **dict.fromkeys(("gc_days", "gc_named_days"), (lambda value: _is_number(value) and value > 0, "more than 0 days")),
}


_SWITCHES = ("auth", "events")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def read_config(path: Path) -> Config:
    """Read `config.json`; a missing file counts as empty, an unknown key is a warning.

    Raises:
        BadInputError: it cannot be read, is not a JSON object, or a key has an invalid value.
    """
    values = read_config_values(path)
    for name, (is_valid, wanted) in _RULES.items():
        if values.get(name) is not None and not is_valid(values[name]):
            found = json.dumps(values[name])
            raise BadInputError(f"{path}: {name} must be {wanted}, not {found}", hint=f"Fix {path}.")
    warnings = [f"{path}: unknown key {name!r} is ignored" for name in values if name not in _RULES]
    known = {name: values[name] for name in _RULES if values.get(name) is not None and name not in _SWITCHES}
    if "max_running" in known:
        known["max_running"] = int(known["max_running"])  # 8.0 is an integer, too
    known |= {"may_bill_api_key": values.get("auth") == "any", "keeps_events": values.get("events") == "full"}
    return Config(**known, warnings=tuple(warnings))


def read_config_values(path: Path) -> dict[str, Any]:
    """The JSON object of `config.json`, unchecked; `{}` where there is no file.

    Raises:
        BadInputError: as `read_config`.
        HomeError: it is not readable.
    """
    try:
        if path.exists() and not path.is_file():  # a FIFO would block
            raise BadInputError(f"{path} is not a regular file", hint=f"Fix {path}, or delete it.")
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):  # a path below a file is missing, too
        return {}
    except PermissionError as error:
        hint = "Another user made it: set CODEX_SERVER_HOME to a directory of your own."
        raise HomeError(f"cannot read {path}: {error.strerror}", hint=hint) from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"cannot read {path}: {error}", hint=f"Fix {path}, or delete it.") from error
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{path} is not JSON: {error}", hint=f"Fix {path}, or delete it.") from error
    if not isinstance(values, dict):
        raise BadInputError(f"{path} does not hold a JSON object", hint=f"Fix {path}, or delete it.")
    return values
