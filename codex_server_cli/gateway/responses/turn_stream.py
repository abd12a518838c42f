"""The stream of a response that is a turn, from any event on, and the final response, which is the last event.

Owns following the turn. All streams of a running turn share its parsed events; each has only its own position. A
stream ends with the turn; if the gateway ends first, it ends with an error, and the next gateway can continue it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from codex_server_cli.actions.read import read
from codex_server_cli.actions.read.feed import EventsFile, Turn
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.core.openai.responses.events import error_event, event
from codex_server_cli.core.openai.responses.told_events import ToldEvents
from codex_server_cli.core.openai.responses.turn_document import last_event, response_id, turn_response
from codex_server_cli.core.openai.responses.turn_events import Numbered, TurnEvents
from codex_server_cli.gateway.errors import stopping
from codex_server_cli.gateway.http_answers import refusal_of
from codex_server_cli.gateway.turns.face import TurnsFace
from codex_server_cli.gateway.turns.hub import PIECE_BYTES, Feed

FIRST = -1
"""A number after which no events follow."""


class _Followed:
    """What the streams of one turn share.

    Attributes:
        told: its events so far.
    """

    def __init__(self, view: TurnView) -> None:
        self.told = ToldEvents()
        self._events = _events_of(view)
        self.told.add(self._events.begin())
        self._offset = 0
        self._has_ended = False
        self._lock = asyncio.Lock()

    async def advance(self, feed: Feed) -> bool:
        """Read more lines of the turn; False if there are none yet."""
        async with self._lock:
            lines = await feed.lines_at(self._offset)
            self._offset += len(lines)
            self.told.add(self._events.feed(lines))
        return bool(lines)

    async def end(self, face: TurnsFace, directory: Turn) -> None:
        """Add the final events of the turn.

        Raises:
            ApiError: it was deleted.
        """
        async with self._lock:
            if self._has_ended:
                return
            view = await face.look(read.status_after_repair, directory)
            if view.state is State.MISSING:
                message = f"Response {response_id(view.turn_id)} was deleted."
                raise ApiError(404, message, code="response_not_found", param="response_id")
            self.told.add(_end(self._events, view))
            self._has_ended = True


class ResponseStream:
    """The events of a response after a given one, for one client.

    Args:
        view: the turn's status just now.
        after: the number of the last event that the client has received.
    """

    def __init__(self, face: TurnsFace, directory: Turn, view: TurnView, after: int) -> None:
        self._face, self._directory = face, directory
        self._has_ended = view.state is not State.RUNNING
        self._view: TurnView | None = view
        self._after = self._at = after
        self._is_amid_event = False

    async def events(self) -> AsyncIterator[bytes]:
        """The events as bytes: a long one in pieces, else every client that does not read would hold a whole copy.

        Raises:
            ApiError: the turn was deleted, or the gateway is shutting down.
        """
        face, directory = self._face, self._directory
        async with face.hub.feed(directory, has_ended=self._has_ended) as feed:
            followed = feed.attached(self._followed)
            self._view = None  # it holds the whole answer, and a client may take long
            while not feed.is_cut:
                size, is_over = feed.size, feed.is_over  # before its lines, or the last ones may be missed
                has_more = await followed.advance(feed)
                for data in self._new_events(followed.told):
                    yield data
                if not has_more:
                    if is_over:
                        break
                    await feed.change_after(size)
            if feed.is_cut:
                raise stopping()
            await followed.end(face, directory)
            for data in self._new_events(followed.told):
                yield data
        last = followed.told.last
        if self._after > last.number:  # no such number: the client must at least be told that this is the end
            yield last.encoded()

    def failure_events(self, error: Exception) -> bytes:
        """The end of a stream that fails: an event with the last event's number, after which the client can resume.

        Empty in the middle of an event: that event is lost with the connection.
        """
        if self._is_amid_event:
            return b""
        failed = error_event(refusal_of(error)[0])
        return event(failed.type, max(self._at, 0), **failed.fields)

    def _followed(self) -> _Followed:
        assert self._view is not None
        return _Followed(self._view)

    def _new_events(self, told: ToldEvents) -> Iterator[bytes]:
        while new_events := told.behind(self._at):
            for each in new_events:
                data = told.encoded(each)
                self._is_amid_event = True
                for start in range(0, len(data) - PIECE_BYTES, PIECE_BYTES):
                    yield data[start : start + PIECE_BYTES]
                self._at, self._is_amid_event = each.number, False
                yield data[(len(data) - 1) // PIECE_BYTES * PIECE_BYTES :]


def whole_response(directory: Turn, view: TurnView) -> dict[str, Any]:
    """The response document of an ended turn, with its output."""
    events, file = _events_of(view), EventsFile(directory)
    try:
        offset, size = 0, file.size()
        while offset < size and (lines := file.lines_at(offset, PIECE_BYTES)):
            events.feed(lines)
            offset += len(lines)
    finally:
        file.close()
    response: dict[str, Any] = _end(events, view)[-1].event.fields["response"]
    return response


def _events_of(view: TurnView) -> TurnEvents:
    return TurnEvents(lambda status: turn_response(view, status=status))


def _end(events: TurnEvents, view: TurnView) -> list[Numbered]:
    answer = view.answer if view.state is State.COMPLETE else None
    return events.end(answer, last_event(view), lambda output: turn_response(view, output))
