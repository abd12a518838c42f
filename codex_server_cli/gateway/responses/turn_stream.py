"""The stream of a response that is a turn, from any event on; and the response at its end, which is the last event.

Owns the following. It ends with the turn; where the gateway ends first, it ends with an error, and can be asked for
again from the next one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

from codex_server_cli.actions.read import read
from codex_server_cli.actions.read.feed import EventsFile, Turn
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.core.openai.responses.turn_document import last_event, response_id, turn_response
from codex_server_cli.core.openai.responses.turn_events import Numbered, TurnEvents
from codex_server_cli.gateway.errors import stopping
from codex_server_cli.gateway.turns.face import TurnsFace
from codex_server_cli.gateway.turns.hub import PIECE_BYTES

FIRST = -1
"""What comes behind this number is all."""


async def turn_stream(face: TurnsFace, directory: Turn, view: TurnView, after: int) -> AsyncIterator[bytes]:
    """The events of a response behind one of them.

    Args:
        view: the turn, as it was just now.
        after: the number of the last event that the client has.

    Raises:
        ApiError: the turn was deleted, or the gateway ends.
    """
    events = _events_of(view)
    if data := _behind(after, events.begin()):
        yield data
    offset = 0
    async with face.hub.feed(directory, has_ended=view.state is not State.RUNNING) as feed:
        while not feed.is_cut:
            size, is_over = feed.size, feed.is_over  # before its lines, or the last ones may be missed
            lines = await feed.lines_at(offset)
            offset += len(lines)
            if data := _behind(after, events.feed(lines)):
                yield data
            if not lines:
                if is_over:
                    break
                await feed.change_after(size)
        if feed.is_cut:
            raise stopping()
    view = await face.look(read.status_after_repair, directory)
    if view.state is State.MISSING:
        message = f"Response {response_id(view.turn_id)} was deleted."
        raise ApiError(404, message, code="response_not_found")
    told = _end(events, view)
    yield _behind(after, told) or (told[-1].encoded() if after > told[-1].number else b"")


def whole_response(directory: Turn, view: TurnView) -> dict[str, Any]:
    """The response that an ended turn is, with its output."""
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


def _behind(after: int, events: Iterable[Numbered]) -> bytes:
    return b"".join(rest.encoded() for each in events if (rest := each.after(after)) is not None)
