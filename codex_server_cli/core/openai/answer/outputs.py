"""What a run of a chat completion tells its caller, as values."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.core.openai.tools import ClientCall


class Text(NamedTuple):
    """More of the answer's content. Only of a stream."""

    text: str


class Thought(NamedTuple):
    """More of `reasoning_content`: a summary of the model's reasoning. Only of a stream."""

    text: str


class Cited(NamedTuple):
    """Annotations of the content that was given so far, in OpenAI's form. Only of a stream."""

    annotations: tuple[dict[str, Any], ...]


class Calls(NamedTuple):
    """All calls of the answer, in the model's order. A `Finish` follows."""

    calls: tuple[ClientCall, ...]


class Finish(NamedTuple):
    """The answer is complete.

    Attributes:
        reason: `stop`, `length`, `content_filter`, `tool_calls` or `function_call`.
        usage: None where it is not known.
    """

    reason: str
    usage: dict[str, Any] | None


class Failed(NamedTuple):
    """The answer will not come: an error answer, or an error event where the status line was sent already."""

    error: ApiError


class Interrupt(NamedTuple):
    """The turn is to be interrupted (`turn/interrupt`), and its thread must serve no other request."""


Output: TypeAlias = Text | Thought | Cited | Calls | Finish | Failed | Interrupt
