"""Owns the keys of the table `serve` of config.json. Each has the name of its flag, except `hold_s`, which has none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codex_server_cli.errors import BadInputError


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("/") and "\0" not in value


def _is_switch(value: Any) -> bool:
    return isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_aliases(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(each, str) and each for each in value.values())


_DAY_S = 86_400
_SWITCH = (_is_switch, "true or false")
_PATH = (_is_path, "an absolute path")
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "listen": (lambda value: isinstance(value, str), "HOST:PORT or unix:PATH"),
    "token_file": _PATH,
    "allow_origin": (_is_texts, "a list of texts"),
    "allow_host": (_is_texts, "a list of texts"),
    "allow_raw_rpc": _SWITCH,
    "cwd": _PATH,
    "write": _SWITCH,
    "max_streams": (_is_count, "a whole number from 1"),
    "model_alias": (_is_aliases, "an object that maps names to models"),
    "strict_params": _SWITCH,
    "hold_s": (lambda value: _is_count(value) and value <= _DAY_S, f"whole seconds from 1 to {_DAY_S}"),
    "instructions": (lambda value: value in ("client", "codex"), '"client" or "codex"'),
}


def checked_table(table: dict[str, Any] | None, path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The table, without keys that are null or unknown.

    Args:
        path: of config.json.

    Returns:
        The table, and a warning for each unknown key.

    Raises:
        BadInputError: a value is wrong.
    """
    given = {name: value for name, value in (table or {}).items() if value is not None}
    for name, (is_valid, wanted) in _RULES.items():
        if name in given and not is_valid(given[name]):
            found = json.dumps(given[name])
            raise BadInputError(f"{path}: serve.{name} must be {wanted}, not {found}", hint=f"Fix {path}.")
    warnings = tuple(f"{path}: unknown key 'serve.{name}' is ignored" for name in given if name not in _RULES)
    return {name: value for name, value in given.items() if name in _RULES}, warnings
