"""What a run tells its caller, as values, and what it is told them by: the content of one face or the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.core.openai.responses.events import StreamEvent
from codex_server_cli.core.openai.tools import ClientCall
from codex_server_cli.core.protocol.rpc import Message


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


Piece: TypeAlias = Text | Thought | Cited | StreamEvent
"""What only a stream is given: text and thoughts of a chat completion, or events of a Response."""

Output: TypeAlias = Piece | Calls | Finish | Failed | Interrupt


class AnswerContent(Protocol):
    """What the model says and thinks in one HTTP response, in the form of a face. `ChatRun` calls it.

    Attributes:
        text: what the client is given.
        raw: the whole text of the model, with what is held back or cut; no commentary.
        texts: the messages that a client sends back when it goes on.
        is_stopped: a stop sequence was found.
        is_refused: the model refused, and Codex dropped what it said.
        is_answered: the model response that is under way has a final answer that is complete.
        is_fixed: the client of a stream has read a part of a message that is open.
    """

    @property
    def text(self) -> str: ...
    @property
    def raw(self) -> str: ...
    @property
    def texts(self) -> list[str]: ...
    @property
    def is_stopped(self) -> bool: ...
    @property
    def is_refused(self) -> bool: ...
    @property
    def is_answered(self) -> bool: ...
    @property
    def is_fixed(self) -> bool: ...

    def take(self, method: str, params: Message) -> Sequence[Piece]:
        """Take a notification about an item of the turn."""

    def take_raw(self, item: Message) -> Sequence[Piece]:
        """Take a raw item of the model response."""

    def keep(self) -> None:
        """A model response is complete, and another one follows."""

    def restart(self) -> Sequence[Piece]:
        """The model response was cut, and another one takes its place: what was open comes again."""

    def before_calls(self) -> Sequence[Piece]:
        """The answer ends in calls: nothing is held back any longer."""

    def end(self) -> Sequence[Piece]:
        """The answer ends without calls: nothing is held back any longer."""

    def flush(self) -> Sequence[Piece]:
        """The answer will not be complete: what was held back of it."""
