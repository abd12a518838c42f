"""The `config` that a thread is opened with: the user's overrides, and a mark for the commands that it runs.

Every process of a turn has the turn's id in its environment, which identifies orphans (`worker.cleanup`). Commands
inherit Codex's environment, unless its `shell_environment_policy` filters it; a variable that is `set` there passes
`inherit` and `exclude`, and is added to those that the user sets, in 0.163.0 and 0.171.0. Only an `include_only` in
`config.toml` can still remove it: its content is not known here.
"""

from __future__ import annotations

from typing import Any

from codex_server_cli import TURN_VARIABLE
from codex_server_cli.core.protocol.rpc import at, object_at, objects_in

_POLICY = "shell_environment_policy"
_DEFAULT_STARTUP_MS = 30_000.0


def layered(*layers: dict[str, Any] | None) -> dict[str, Any]:
    """Merge several configurations; later ones win.

    Codex applies overrides in no defined order, and a table may undo a dotted key: several keys of one table are merged
    into that table.

    Args:
        layers: by dotted key or as tables; None for an empty one.
    """
    groups: dict[str, list[tuple[str, Any]]] = {}
    for key, value in (pair for layer in layers for pair in (layer or {}).items()):
        groups.setdefault(key.split(".")[0], []).append((key, value))
    config: dict[str, Any] = {}
    for name, pairs in groups.items():
        table: Any = {}
        for key, value in pairs:
            table = _merged(table, _nested(key.split(".")[1:], value))
        config |= dict(pairs) if len(pairs) == 1 else {name: table}
    return config


def as_tables(*layers: dict[str, Any]) -> dict[str, Any]:
    """Merge several configurations into one without dotted keys; later ones win. For lookups, not for sending.

    Args:
        layers: by dotted key or as tables.
    """
    tables: Any = {}
    for key, value in (pair for layer in layers for pair in layer.items()):
        tables = _merged(tables, _nested(key.split("."), value))
    return dict(tables)


def startup_ms(config: dict[str, Any]) -> float:
    """The longest time, in ms, that Codex may need to start the tool servers of a thread before it replies.

    The reply that opens a thread waits for the servers that are `required`, each up to its timeout; no notification
    comes before it (observed on 0.163.0 and 0.171.0). They start in parallel, or one after another.

    Args:
        config: Codex's effective configuration, as tables.
    """
    servers = objects_in(list(object_at(config, "mcp_servers").values()))
    return sum(_startup_ms(server) for server in servers if server.get("enabled") is not False)


def _startup_ms(server: dict[str, Any]) -> float:
    for name, unit_ms in (("startup_timeout_sec", 1000.0), ("startup_timeout_ms", 1.0)):
        limit = server.get(name)
        if isinstance(limit, int | float) and limit > 0:
            return limit * unit_ms
    return _DEFAULT_STARTUP_MS if server.get("required") else 0.0


def value_in(config: dict[str, Any], name: str) -> str | None:
    """The string value of a top-level key; None if it has none."""
    return at(config, name, str)


def marked_config(overrides: dict[str, Any] | None, turn_id: str) -> dict[str, Any]:
    """The overrides with the mark added.

    Args:
        overrides: by dotted key, as Codex takes them; None for none.
        turn_id: the mark; an empty one adds nothing.
    """
    overrides = overrides or {}
    if not turn_id:
        return overrides
    policy = {key: value for key, value in overrides.items() if key.split(".")[0] == _POLICY}
    if not policy:
        return {**overrides, f"{_POLICY}.set.{TURN_VARIABLE}": turn_id}
    # Codex applies overrides in no defined order, and a table may undo a dotted key: they become one table.
    table: Any = {}
    for key, value in policy.items():
        table = _merged(table, _nested(key.split(".")[1:], value))
    if not isinstance(table, dict) or not isinstance(table.get("set", {}), dict):
        return overrides  # an invalid policy: Codex has the better error message
    table = _merged(table, {"set": {TURN_VARIABLE: turn_id}})
    included = table.get("include_only")
    if isinstance(included, list) and included:  # an empty one includes everything
        table["include_only"] = [*included, TURN_VARIABLE]
    return {key: value for key, value in overrides.items() if key not in policy} | {_POLICY: table}


def _nested(keys: list[str], value: Any) -> Any:
    for key in reversed(keys):
        value = {key: value}
    return value


def _merged(one: Any, other: Any) -> Any:
    """Merge two values of one key: tables are merged, else the later wins."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return other
    return one | {key: _merged(one[key], value) if key in one else value for key, value in other.items()}
