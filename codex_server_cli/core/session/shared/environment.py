"""The environment of a turn on a shared app-server, as the configuration of its thread. Owns what is passed, and how.

The app-server has its own environment; the caller's variables replace it through `shell_environment_policy.set`
(transport notes, section 5). `set` is exempt from the user's own `inherit`, `exclude` and default excludes: so they are
applied here, as Codex applies them to its own environment. Codex itself applies `include_only` last; it is extended by
the turn's mark. A login shell would read `/etc/profile` again, and its PATH would replace the caller's while Codex's
snapshot of the shell is not ready: so it is disabled, unless the user's configuration allows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from codex_server_cli import TURN_VARIABLE
from codex_server_cli.core.model.codex_config import as_tables, layered
from codex_server_cli.core.model.server.terms import ServerTerms
from codex_server_cli.core.protocol.rpc import Message, at, object_at, params_of

POLICY = "shell_environment_policy"
_LOGIN_SHELL = "allow_login_shell"
_UNLOAD_DELAY = "thread_unload_delay_secs"
_CORE = frozenset(
    {"HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "SHELL", "USER", "USERNAME", "TMPDIR", "TEMP", "TMP"}
)
"""The variables that Codex's `inherit = "core"` keeps."""

_SECRET = ("*KEY*", "*SECRET*", "*TOKEN*")
"""What Codex excludes if `ignore_default_excludes` is false."""

WITHHELD = "(not recorded)"


def config_on_server(overrides: Message, terms: ServerTerms, read: Message, turn_id: str) -> Message:
    """The `config` that a thread is opened with on a shared app-server.

    Args:
        overrides: of this turn, with its mark, by dotted key or as tables.
        read: the result of `config/read`: Codex's own effective configuration, and which of it the user set.
        turn_id: the mark.
    """
    added: Message = {} if terms.is_ours else {_UNLOAD_DELAY: 1}
    config = as_tables(object_at(read, "config"), overrides)
    if not isinstance(config.get(POLICY, {}), dict):
        return overrides  # Codex has the better error message
    policy = object_at(config, POLICY)
    if terms.environment is not None:
        added |= _policy_for(terms.environment, policy)
        if _LOGIN_SHELL not in object_at(read, "origins"):
            added[_LOGIN_SHELL] = False
        added |= _tool_servers(config, terms.environment, turn_id)
    merged = layered(added, overrides)
    included = policy.get("include_only")
    if isinstance(included, list) and included and turn_id:
        names = [*(name for name in included if name != TURN_VARIABLE), TURN_VARIABLE]
        merged = layered(merged, {f"{POLICY}.include_only": names})
    return layered(merged, {f"{POLICY}.inherit": "none"}) if terms.environment is not None else merged


def _policy_for(environment: dict[str, str], policy: Message) -> Message:
    """The variables that the turn's commands inherit, as `set`."""
    inherit = policy.get("inherit")
    kept = {name: value for name, value in environment.items() if _is_passable(name, value)}
    if inherit == "none":
        kept = {}
    elif inherit == "core":
        kept = {name: value for name, value in kept.items() if name.upper() in _CORE}
    patterns = [*(at(policy, "exclude", list) or ())]
    if policy.get("ignore_default_excludes") is False:
        patterns += _SECRET
    excluded = [_pattern(text) for text in patterns if isinstance(text, str)]
    kept = {name: value for name, value in kept.items() if not any(each.fullmatch(name) for each in excluded)}
    return {POLICY: {"set": kept}}


def _is_passable(name: str, value: str) -> bool:
    """Whether Codex accepts a variable: a lone surrogate (bytes that are not UTF-8) makes it drop the whole request."""
    return bool(name) and "=" not in name and _is_unicode(name + value)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _pattern(text: str) -> re.Pattern[str]:
    """One of Codex's patterns: `*` and `?`, case-insensitive."""
    parts = re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(parts, re.IGNORECASE | re.DOTALL)


def _tool_servers(config: Message, environment: dict[str, str], turn_id: str) -> Message:
    """The mark and the caller's PATH for each MCP server that is a process; the user's own values are kept."""
    ours = {name: value for name, value in _for_tools(environment, turn_id)}
    tables: Message = {}
    for name, server in object_at(config, "mcp_servers").items():
        if isinstance(server, dict) and isinstance(server.get("command"), str):
            own = object_at(server, "env")
            tables[name] = {"env": {key: value for key, value in ours.items() if key not in own}}
    return {"mcp_servers": tables} if tables else {}


def _for_tools(environment: dict[str, str], turn_id: str) -> Iterable[tuple[str, str]]:
    if turn_id:
        yield TURN_VARIABLE, turn_id
    path = environment.get("PATH")
    if path is not None and _is_passable("PATH", path):
        yield "PATH", path


def without_environment(message: Message) -> Message:
    """A message to record: without the values of the caller's environment, which may include secrets."""
    policy = object_at(params_of(message), f"config.{POLICY}")
    values = at(policy, "set", dict)
    if not values:
        return message
    recorded = {name: value if name == TURN_VARIABLE else WITHHELD for name, value in values.items()}
    params = params_of(message)
    config: dict[str, Any] = {**params["config"], POLICY: {**policy, "set": recorded}}
    return {**message, "params": {**params, "config": config}}
