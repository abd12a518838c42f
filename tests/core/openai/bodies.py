"""Parts of requests and of what they become, for the tests of the OpenAI face."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.openai.chat_request import ChatRequest, parse_chat

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="  # 1 x 1
PNG = f"data:image/png;base64,{PIXEL}"
ASKED = {"role": "user", "content": "q"}


def message(role: str, *texts: str) -> dict[str, Any]:
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text} for text in texts]}


def call_item(call_id: str, name: str = "look", arguments: str = "{}") -> dict[str, Any]:
    call = {"type": "function_call", "call_id": call_id, "namespace": "client"}
    return {**call, "name": name, "arguments": arguments}


def output_item(call_id: str, output: Any) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def tool(name: Any = "look", parameters: Any = None, **others: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": parameters, **others}}


def request(*messages: Any, **body: Any) -> ChatRequest:
    """The request of a body with these messages (one question if none), and its other parameters."""
    return parse_chat({"messages": list(messages) or [ASKED], **body}, aliases={}, is_strict=False)
