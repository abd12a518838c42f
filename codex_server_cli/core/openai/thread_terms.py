"""What a request becomes on the wire of the app-server: the parameters of its thread and turn.

No thread of a chat may run a command or read a file: it has no environment, no tool of Codex's own, and a read-only
sandbox. What Codex would add to the prompt is off, so that the model reads what the client wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from codex_server_cli.core.openai.chat_request import ChatRequest
from codex_server_cli.core.openai.tools import NAMESPACE

_UNLIMITED = 1_000_000_000
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
    "notify": [],  # a program of the user's, which is run at the end of every turn
    # Without it every current model gets the client's tools as JavaScript functions. `functions` must not be excluded
    # for tools without a namespace: they vanish.
    "features.code_mode": {
        "direct_only_tool_namespaces": [NAMESPACE],
        "excluded_tool_namespaces": ["functions", "clock"],
    },
    # Both, or a long history is answered from a summary of it. The model's side refuses what is too long.
    "model_context_window": _UNLIMITED,
    "model_auto_compact_token_limit": _UNLIMITED,
    "tool_output_token_limit": 10_000_000,
}
"""The `config` of a chat's thread. Codex ignores keys that it does not know, so one map serves all versions."""


def thread_start(request: ChatRequest, *, cwd: str, instructions: Literal["client", "codex"]) -> dict[str, Any]:
    """The parameters of `thread/start`.

    Args:
        cwd: an empty directory.
        instructions: `codex` leaves Codex's own prompt in front, for a backend that insists on it.
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

    A fork takes neither tools nor environments, and has no raw events: it serves only a request whose
    `needs_raw_items` is false, and each of its turns must say that it has no environment.

    Args:
        anchor, path: its id, and the file that it is read from.
        cwd, instructions: as above.
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
    """The parameters of `turn/start`: no input, the items were injected before."""
    given = {
        "effort": request.effort,
        "summary": request.summary,
        "outputSchema": request.output_schema,
        "serviceTierForTurn": request.service_tier,
    }
    levers = {key: value for key, value in given.items() if value is not None}
    return {"threadId": thread_id, "input": [], "environments": [], **levers}
