"""A Response in a test: what is fed to a run, and the stream or the document that a client gets of it."""

from __future__ import annotations

from typing import Any

from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response

from codex_server_cli.core.openai.answer.outputs import Finish, Output
from codex_server_cli.core.openai.chat_request import ChatRequest
from codex_server_cli.core.openai.chat_run import ChatRun
from codex_server_cli.core.openai.responses.content import ResponseContent
from codex_server_cli.core.openai.responses.document import ResponseHead
from codex_server_cli.core.openai.responses.writer import ResponseWriter
from tests.kit.chat import NOW_S, chat_request
from tests.kit.dialogue import Json
from tests.kit.official import official_events, official_response

HEAD = ResponseHead("resp_1", int(NOW_S), "gpt-6.2-sol")


class ResponseDialogue:
    """A run whose answer is a Response, fed by hand.

    Attributes:
        content, run, writer: it.
        outputs: all that the run gave.
        stream: what a client of the stream has got.
    """

    def __init__(
        self,
        request: ChatRequest | None = None,
        *,
        has_encrypted: bool = False,
        turn_id: str | None = None,
        **terms: Any,
    ) -> None:
        self.request = request or chat_request(**terms)
        self.content = ResponseContent(self.request, "x", has_encrypted=has_encrypted)
        self.run = ChatRun(self.request, self.content, now_s=NOW_S, turn_id=turn_id)
        self.writer = ResponseWriter(HEAD, self.content, "resp_0")
        self.outputs: list[Output] = []
        self.stream = b""

    def receive(self, *messages: Json, at_s: float = NOW_S) -> ResponseDialogue:
        """These messages come."""
        for message in messages:
            self.take(self.run.feed(message, at_s))
        return self

    def take(self, outputs: list[Output]) -> ResponseDialogue:
        """The run has given these."""
        self.outputs += outputs
        self.stream += b"".join(self.writer.write(each, NOW_S + 1) for each in outputs)
        return self

    @property
    def events(self) -> list[Any]:
        """The events of the stream, as the official client has them."""
        return official_events(self.stream)

    @property
    def types(self) -> list[str]:
        """Their types, shortened."""
        return [each.type.removeprefix("response.") for each in self.events]

    @property
    def whole(self) -> Json:
        """The document of an answer that is not streamed."""
        assert self.run.finish is not None
        return self.writer.finish(self.run.finish, NOW_S + 1, self.run.calls)

    @property
    def end(self) -> Response:
        """The Response that the end of the stream has, whatever the end is."""
        (last,) = (each.response for each in self.events if each.type in _ENDS)
        assert isinstance(last, Response)
        return last

    @property
    def ended(self) -> Json:
        """The same as a document."""
        return self.end.to_dict()


_ENDS = ("response.completed", "response.incomplete", "response.failed")


def put_together(events: list[Any]) -> Any:
    """What the official client's helper makes of the deltas of a stream: its output, before the end says it all."""
    state: ResponseStreamState[Any] = ResponseStreamState(input_tools=[], text_format=omit)
    for event in events:
        if event.type not in _ENDS and event.type != "error":
            state.handle_event(event)
    return vars(state)["_ResponseStreamState__current_snapshot"]


def shape_of(document: Json) -> list[Any]:
    """The output, as a few words for each item."""
    official_response(document)
    return [_shape(item) for item in document["output"]]


def _shape(item: Json) -> Any:
    match item["type"]:
        case "message":
            (part,) = item["content"]
            kind = item.get("phase") or part["type"]
            return (kind, part.get("text", "")) if item["status"] == "completed" else (kind, part["text"], "incomplete")
        case "reasoning":
            return ("reasoning", *(part["text"] for part in item["summary"]))
    return (item["name"], item["call_id"], item["arguments"])


def finish_of(outputs: list[Output]) -> Finish:
    """The end of a run that has not failed."""
    (finish,) = (each for each in outputs if isinstance(each, Finish))
    return finish
