"""The outputs of a run, as values, and the interface of the content that makes them, for either API."""

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
    """Annotations of the content so far, in OpenAI's format. Only of a stream."""

    annotations: tuple[dict[str, Any], ...]


class Calls(NamedTuple):
    """All calls of the answer, in the model's order. A `Finish` follows."""

    calls: tuple[ClientCall, ...]


class Finish(NamedTuple):
    """The answer is complete.

    Attributes:
        reason: `stop`, `length`, `content_filter`, `tool_calls` or `function_call`.
        usage: None if it is unknown.
    """

    reason: str
    usage: dict[str, Any] | None


class Failed(NamedTuple):
    """There will be no answer: send an error response, or an error event if the status line was already sent."""

    error: ApiError


class Interrupt(NamedTuple):
    """The caller must interrupt the turn (`turn/interrupt`), and must not reuse its thread for another request."""


Piece: TypeAlias = Text | Thought | Cited | StreamEvent
"""Outputs for a stream only: text and thoughts of a chat completion, or events of a Response."""

Output: TypeAlias = Piece | Calls | Finish | Failed | Interrupt


class AnswerContent(Protocol):
    """Text and reasoning of the model in one HTTP response, in the format of one API. `ChatRun` calls it.

    Attributes:
        text: the text that the client gets.
        raw: the whole text of the model, including what is held back or cut; no commentary.
        texts: the messages that a client sends back to continue.
        is_stopped: a stop sequence was found.
        is_refused: the model refused, and Codex dropped its text.
        is_answered: the current model response has a complete final answer.
        is_fixed: the client of a stream has received a part of an open message.
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
        """The model response was cut off and is retried: its open messages come again."""

    def before_calls(self) -> Sequence[Piece]:
        """The answer ends in calls: nothing is held back any longer."""

    def end(self) -> Sequence[Piece]:
        """The answer ends without calls: nothing is held back any longer."""

    def flush(self) -> Sequence[Piece]:
        """The answer will not be complete: returns what was held back."""
