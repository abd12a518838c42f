"""Tools of a client: what the model is offered, and how a forced call is emulated by an output schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

NAMESPACE = "client"
"""The namespace of all tools of clients, named in `direct_only_tool_namespaces` of the thread's config."""


class ClientCall(NamedTuple):
    """One call of a tool by the model: `arguments` is JSON text, as the model wrote it."""

    id: str
    name: str
    arguments: str


class ForcedTool(NamedTuple):
    """A `tool_choice` that is emulated: the model's text, by the output schema, is the call. See `forced_call`.

    Attributes:
        schemas: the tools that may be called, name → the client's own parameter schema.
        is_single: one tool alone: the text is its arguments; else it is `{"call": {"name", "arguments"}}`.
    """

    schemas: Mapping[str, Any]
    is_single: bool


def forced_call(forced: ForcedTool, answer: str) -> tuple[str, str] | None:
    """Name and arguments (JSON text) of the call in an answer; None where the answer is none (it is plain text then).

    Arguments that are null only because strict mode has no optional ones are left out.
    """
    raise NotImplementedError
