"""One HTTP request to the scripted model, as scripts and tests see it.

Owns: decoding a body, and the properties of a conversation that scripts need. Pure.
Never here: sockets; what to answer.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from codex_server_cli.demo.parts import Json

RESPONSES_PATH = "/v1/responses"


@dataclass(frozen=True)
class Request:
    """One received HTTP request.

    `path` has no query, `headers` have lower-case names, `body` is decoded JSON (None when empty, the raw
    bytes when it is compressed and the optional `zstandard` module is missing). `number` counts the model
    requests from 1 and is 0 for every other path.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    number: int = 0

    @property
    def is_model_request(self) -> bool:
        """Whether this asks for a model response."""
        return self.method == "POST" and self.path == RESPONSES_PATH

    @cached_property
    def prompt(self) -> str:
        """The newest user message of the conversation, or an empty string."""
        users = [item for item in self._input if item.get("role") == "user"]
        return "".join(part.get("text", "") for part in users[-1]["content"]) if users else ""

    @cached_property
    def tool_outputs(self) -> dict[str, Any]:
        """The outputs of Codex's tools so far, by call id."""
        return {item["call_id"]: item["output"] for item in self._input if "output" in item and "call_id" in item}

    @property
    def is_follow_up(self) -> bool:
        """Whether this continues a turn with the output of a tool call, rather than starting one."""
        return bool(self._input) and "output" in self._input[-1]

    @property
    def _input(self) -> list[Json]:
        return list(self.body.get("input", ())) if isinstance(self.body, dict) else []


def decode_body(raw: bytes, encoding: str) -> Any:
    """Decode a JSON body; None when empty, `raw` when it is something else or zstandard is missing."""
    if not raw:
        return None
    if encoding == "zstd":
        if find_spec("zstandard") is None:
            return raw
        raw = import_module("zstandard").ZstdDecompressor().decompressobj().decompress(raw)
    with contextlib.suppress(ValueError):
        return json.loads(raw)
    return raw
