"""A chat request on the app-server's wire: the parameters of its thread and turn, and its anchor.

No thread of a chat may run a command or read a file: it has no environment, none of Codex's tools, and a read-only
sandbox. Codex's additions to the prompt are off, so that the model reads only what the client wrote.

Codex names the prompt cache of a thread (`prompt_cache_key`, and the header `session-id`) after the session that the
thread was forked from. An anchor is an artificial session of one line, with an id of ours: threads that are forked from
it share a cache, and it adds nothing to the prompt. `conversation` decides which request has which anchor.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Literal

from codex_server_cli.core.openai.chat_request import ChatRequest
from codex_server_cli.core.openai.tools import NAMESPACE

_UNLIMITED = 1_000_000_000
_VERSION, _VARIANT = 7, 0b10
_RANDOM_BITS = 74
_LOW_BITS = 62
_MS_BITS = 48
_OFF = (
    *("features.shell_tool", "features.goals", "features.view_image", "features.sleep_tool", "features.multi_agent"),
    *("features.image_generation", "features.tool_suggest", "features.apps", "features.plugins", "features.hooks"),
    *("features.shell_snapshot", "agents.enabled", "include_permissions_instructions", "include_environment_context"),
    *("features.memories", "features.current_time_reminder", "features.terminal_visualization_instructions"),
    *("features.request_permissions_tool",),
    *("include_apps_instructions", "include_collaboration_mode_instructions", "skills.include_instructions"),
)

LEAN: Mapping[str, Any] = {
    **dict.fromkeys(_OFF, False),
    "tools.experimental_request_user_input": {"enabled": False},
    "tools.update_plan": {"enabled": False},
    "web_search": "disabled",
    "project_doc_max_bytes": 0,
    "developer_instructions": "",
    "notify": [],  # a program of the user's that Codex runs at the end of every turn
    # Without it every current model gets the client's tools as JavaScript functions. `functions` must not be excluded
    # for tools without a namespace: they would disappear.
    "features.code_mode": {
        "direct_only_tool_namespaces": [NAMESPACE],
        "excluded_tool_namespaces": ["functions", "clock"],
    },
    # Both are needed, or Codex summarises a long history. The service refuses what is too long.
    "model_context_window": _UNLIMITED,
    "model_auto_compact_token_limit": _UNLIMITED,
    "tool_output_token_limit": 10_000_000,
}
"""The `config` of a chat's thread. Codex ignores keys that it does not know, so one map serves all versions."""


def thread_start(request: ChatRequest, *, cwd: str, instructions: Literal["client", "codex"]) -> dict[str, Any]:
    """The parameters of `thread/start`.

    Args:
        cwd: an empty directory.
        instructions: `codex` keeps Codex's own prompt, for a backend that requires it.
    """
    params = {**_new_thread(request, cwd, instructions), "environments": [], "experimentalRawEvents": True}
    if request.tools:
        tools = [{"type": "function", **tool} for tool in request.tools]
        space = {"type": "namespace", "name": NAMESPACE, "description": "Tools of the client.", "tools": tools}
        params["dynamicTools"] = [space]
    return params


def thread_fork(
    request: ChatRequest, *, anchor: str, path: str, cwd: str, instructions: Literal["client", "codex"]
) -> dict[str, Any]:
    """The parameters of `thread/fork`, for a thread that shares the prompt cache of an anchor.

    A fork accepts neither tools nor environments, and has no raw events: it serves only a request whose
    `needs_raw_items` is false, and each of its turns must pass an empty list of environments.

    Args:
        anchor, path: its id and its session file.
        cwd, instructions: as for `thread_start`.
    """
    return {**_new_thread(request, cwd, instructions), "threadId": anchor, "path": path, "excludeTurns": True}


def _new_thread(request: ChatRequest, cwd: str, instructions: Literal["client", "codex"]) -> dict[str, Any]:
    params: dict[str, Any] = {
        "ephemeral": True,
        "cwd": cwd,
        "sandbox": "read-only",
        "approvalPolicy": "never",
        "config": {**LEAN, **({"model_verbosity": request.verbosity} if request.verbosity else {})},
    }
    if request.model:
        params["model"] = request.model
    if instructions == "client":
        params["baseInstructions"] = ""
    return params


def turn_start(request: ChatRequest, thread_id: str) -> dict[str, Any]:
    """The parameters of `turn/start`, without input: the items were injected before."""
    given = {
        "effort": request.effort,
        "summary": request.summary,
        "outputSchema": request.output_schema,
        "serviceTierForTurn": request.service_tier,
    }
    levers = {key: value for key, value in given.items() if value is not None}
    return {"threadId": thread_id, "input": [], "environments": [], **levers}


def anchor_id(key: str, *, seed: bytes, unix_ms: int) -> str:
    """The id of the anchor for a key: deterministic, in the format of Codex's own ids (UUID 7).

    Args:
        seed: a secret, so that the ids of two gateways are never the same.
        unix_ms: milliseconds, for the part of the id that is a time.
    """
    digest = int.from_bytes(sha256(seed + key.encode()).digest()) % (1 << _RANDOM_BITS)
    high, low = divmod(digest, 1 << _LOW_BITS)
    ms = unix_ms % (1 << _MS_BITS)
    digits = f"{(ms << 80) | (_VERSION << 76) | (high << 64) | (_VARIANT << _LOW_BITS) | low:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def anchor_line(anchor: str, *, cwd: str, version: str, unix_ms: int) -> str:
    """The whole session file of an anchor, as Codex 0.163.0 and 0.171.0 read it.

    A `legacy` session can be read from any path; Codex looks up others in its home.
    """
    at = datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    meta = {"id": anchor, "session_id": anchor, "timestamp": at, "cwd": cwd, "originator": "codex_server"}
    payload = {**meta, "cli_version": version, "source": "vscode", "history_mode": "legacy"}
    return json.dumps({"timestamp": at, "type": "session_meta", "payload": payload}) + "\n"
