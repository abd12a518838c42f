"""The outputs of a run as the stream of a Response, or as the Response itself. Owns event numbers, and the end."""

from __future__ import annotations

from collections.abc import Sequence

from codex_server_cli.core.openai.answer.outputs import Calls, Failed, Finish, Output
from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.core.openai.responses import document, events
from codex_server_cli.core.openai.responses.content import ResponseContent
from codex_server_cli.core.openai.responses.document import Json, ResponseHead, ResponseStatus, response_document
from codex_server_cli.core.openai.responses.events import StreamEvent
from codex_server_cli.core.openai.tools import ClientCall
from codex_server_cli.core.protocol.rpc import at

_ENDED_EARLY = {"length": "max_output_tokens", "content_filter": "content_filter"}


class ResponseWriter:
    """Writes one Response.

    Args:
        head: the members that its documents repeat.
        content: the text and reasoning of the model.
        previous_response_id: of the response that it continues.

    Attributes:
        calls: the calls that the answer ends in, as items of the output.
        whole: the Response; None while it has not ended.
    """

    def __init__(self, head: ResponseHead, content: ResponseContent, previous_response_id: str | None = None) -> None:
        self._head, self._content, self._previous = head, content, previous_response_id
        self._n_events = 0
        self.calls: list[Json] = []
        self.whole: Json | None = None

    def begin(self) -> bytes:
        """The beginning of the stream, once; empty afterwards."""
        if self._n_events:
            return b""
        begun = self._document("in_progress", [])
        return self._numbered([events.of_response(f"response.{name}", begun) for name in ("created", "in_progress")])

    def write(self, output: Output, now_s: float) -> bytes:
        """The bytes for one output.

        Args:
            now_s: Unix seconds.
        """
        match output:
            case StreamEvent():
                return self.begin() + self._numbered([output])
            case Calls(calls):
                return self.begin() + self._numbered([*self._content.close(), *self._told(calls)])
            case Finish():
                closed = self._content.close()
                whole = self.finish(output, now_s)
                return self.begin() + self._numbered(
                    [*closed, events.of_response(f"response.{whole['status']}", whole)]
                )
            case Failed(error):
                return self.begin() + self._numbered(self._failed(error))
        return b""

    def finish(self, finish: Finish, now_s: float, calls: Sequence[ClientCall] | None = None) -> Json:
        """The whole Response, of a run that has finished.

        Args:
            calls: the calls that it ends in, if they were not written.
        """
        self._content.close()
        if calls is not None:
            self._told(calls)
        reason = _ENDED_EARLY.get(finish.reason)
        status: ResponseStatus = "incomplete" if reason else "completed"
        details = {"reason": reason} if reason else None
        self.whole = self._document(
            status,
            [*self._content.output(), *self.calls],
            usage=usage_of(finish.usage),
            incomplete_details=details,
            completed_at=None if reason else int(now_s),
        )
        return self.whole

    def _told(self, calls: Sequence[ClientCall]) -> list[StreamEvent]:
        first = len(self._content.output())
        id_ = f"fc_{self._head.id.removeprefix('resp_')}c"  # call ids may repeat between models
        self.calls = [
            document.call_item(f"{id_}{number}", call.id, call.name, call.arguments)
            for number, call in enumerate(calls)
        ]
        return [told for number, call in enumerate(self.calls) for told in events.called(first + number, call)]

    def _failed(self, error: ApiError) -> list[StreamEvent]:
        """The failed response, and an error event: only that makes every official client raise."""
        closed = self._content.close()
        failed = self._document("failed", self._content.output(), error=document.response_error(error))
        return [
            *closed,
            events.of_response("response.failed", failed),
            events.error_event(error),
        ]

    def _document(self, status: ResponseStatus, output: Sequence[Json], **more: object) -> Json:
        members: Json = {"usage": None, **more}
        return response_document(
            self._head, status=status, output=output, previous_response_id=self._previous, **members
        )

    def _numbered(self, told: Sequence[StreamEvent]) -> bytes:
        first, self._n_events = self._n_events, self._n_events + len(told)
        return events.numbered(told, first)


def usage_of(usage: Json | None) -> Json | None:
    """The usage of a run in the format of a Response."""
    if usage is None:
        return None
    return document.usage_document(
        input_tokens=usage["prompt_tokens"],
        output_tokens=usage["completion_tokens"],
        total_tokens=usage["total_tokens"],
        cached=at(usage, "prompt_tokens_details.cached_tokens", int) or 0,
        cache_write=at(usage, "prompt_tokens_details.cache_write_tokens", int) or 0,
        reasoning=at(usage, "completion_tokens_details.reasoning_tokens", int) or 0,
    )
