"""The parts of a model's reply, as frozen values: items, waits, ends, and HTTP failures.

Owns: the data of a script. `replies` builds these values, `sse` encodes them.
Never here: sockets, threads, clocks or files. A pause or a hold is only *named* here; the server acts on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

Json: TypeAlias = dict[str, Any]
Phase: TypeAlias = Literal["final_answer", "commentary"]


class Barrier(Protocol):
    """Something the model can block on; `gates.Gate` and `gates.FileGate` are the two kinds."""

    def hold(self) -> None:
        """Block until the barrier is open."""

    def release(self) -> None:
        """Unblock the model for good: the server is closing."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one model response, as the API counts them: `cached` is part of `input`, `reasoning` of `output`."""

    input: int = 100
    cached: int = 40
    output: int = 20
    reasoning: int = 5

    def to_json(self) -> Json:
        """The `usage` member of `response.completed`."""
        return {
            "input_tokens": self.input,
            "input_tokens_details": {"cached_tokens": self.cached},
            "output_tokens": self.output,
            "output_tokens_details": {"reasoning_tokens": self.reasoning},
            "total_tokens": self.input + self.output,
        }


# Waits and the cut: they may stand between parts, and between the pieces of `say`.


@dataclass(frozen=True, slots=True)
class Hold:
    """The model stops here until the gate opens."""

    gate: Barrier


@dataclass(frozen=True, slots=True)
class Pause:
    """The model stops here for a while, so that people see an answer stream."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection closes here, in the middle of the stream."""


Wait: TypeAlias = Hold | Pause | Cut
Piece: TypeAlias = str | Wait


# Output items.


@dataclass(frozen=True, slots=True)
class Message:
    """An assistant message; every string among `pieces` is one delta."""

    pieces: tuple[Piece, ...]
    phase: Phase | None = "final_answer"
    item_id: str | None = None

    @property
    def text(self) -> str:
        """The whole message, as `response.output_item.done` repeats it."""
        return "".join(piece for piece in self.pieces if isinstance(piece, str))


@dataclass(frozen=True, slots=True)
class Reasoning:
    """A reasoning item with one summary part; `encrypted` is the reasoning itself, readable only by the model."""

    summary_text: str
    item_id: str | None = None
    encrypted: str | None = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of one of Codex's tools; `arguments` is a JSON object, or free text for a custom tool.

    `namespace` is for a tool that is not built into Codex: `mcp__SERVER` for one of an MCP server.
    """

    name: str
    arguments: Mapping[str, Any] | str
    call_id: str | None = None
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class WebSearch:
    """A web search that the service has run on its side."""

    query: str
    item_id: str | None = None


# Ends: sent instead of `response.completed`.


@dataclass(frozen=True, slots=True)
class Incomplete:
    """The response ends with `response.incomplete`."""

    reason: str


@dataclass(frozen=True, slots=True)
class StreamFailure:
    """The response ends with `response.failed`."""

    code: str
    message: str


Item: TypeAlias = Message | Reasoning | ToolCall | WebSearch
End: TypeAlias = Incomplete | StreamFailure
Part: TypeAlias = Wait | Item | End


@dataclass(frozen=True, slots=True)
class Answer:
    """One streamed model response: its parts in order, then `response.completed` unless a part is an end."""

    parts: tuple[Part, ...]
    usage: Usage = field(default_factory=Usage)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failure:
    """An HTTP error instead of a stream; `body` is sent as JSON, or verbatim when it is a string."""

    status: int
    body: Mapping[str, Any] | str
    headers: Mapping[str, str] = field(default_factory=dict)


Reply: TypeAlias = Answer | Failure
ReplyLike: TypeAlias = Reply | Part | Sequence[Part]
