"""A small MCP server over stdio: JSON-RPC, one object a line, for Codex to start as it starts any other.

It has two tools: `initialize` greets the name in its argument; `ask` first asks the user of the client (an elicitation
with a form), and returns their answer. Standard library only.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

_NAME_SCHEMA = {"whom": {"type": "string"}}
FORM = {
    "type": "object",
    "properties": {
        "colour": {"type": "string", "title": "Colour", "description": "Which colour?", "enum": ["red", "blue"]},
        "count": {"type": "integer", "description": "How many?", "minimum": 1},
        "places": {
            "type": "array",
            "description": "Where?",
            "items": {"anyOf": [{"const": "prd-1", "title": "Production"}, {"const": "stg-1", "title": "Staging"}]},
        },
    },
    "required": ["colour"],
}
_TOOLS = [
    {"name": "greet", "description": "Greets.", "inputSchema": {"type": "object", "properties": _NAME_SCHEMA}},
    {"name": "ask", "description": "Asks first.", "inputSchema": {"type": "object", "properties": {}}},
]


def send(message: Json) -> None:
    """Write one message."""
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def messages() -> Iterator[Json]:
    """The messages of the client, up to EOF of stdin."""
    for line in sys.stdin:
        yield json.loads(line)


def ask(incoming: Iterator[Json]) -> str:
    """Ask the client's user, and return the reply."""
    send({"id": "form", "method": "elicitation/create", "params": {"message": "Tell me.", "requestedSchema": FORM}})
    reply = next(message for message in incoming if message.get("id") == "form" and "method" not in message)
    return json.dumps(reply.get("result") or reply.get("error"), sort_keys=True)


def main() -> None:
    """Serve until stdin ends."""
    incoming = messages()
    for message in incoming:
        method, params = message.get("method"), message.get("params") or {}
        if "id" not in message:
            continue
        if method == "initialize":
            about = {"capabilities": {"tools": {}}, "serverInfo": {"name": "fake", "version": "1"}}
            result: Json = {"protocolVersion": params["protocolVersion"], **about}
        elif method == "tools/list":
            result = {"tools": _TOOLS}
        elif method == "tools/call":
            text = ask(incoming) if params["name"] == "ask" else f"Hello {params['arguments'].get('whom')}"
            result = {"content": [{"type": "text", "text": text}]}
        else:
            result = {}
        send({"id": message["id"], "result": result})


if __name__ == "__main__":
    main()
