"""What a request becomes on the wire of the app-server: the parameters of its thread and turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from codex_server_cli.core.openai.chat_request import ChatRequest

LEAN: Mapping[str, Any] = {}


def thread_start(request: ChatRequest, *, cwd: str, instructions: Literal["client", "codex"]) -> dict[str, Any]:
    """The parameters of `thread/start`."""
    raise NotImplementedError


def turn_start(request: ChatRequest, thread_id: str) -> dict[str, Any]:
    """The parameters of `turn/start`."""
    raise NotImplementedError
