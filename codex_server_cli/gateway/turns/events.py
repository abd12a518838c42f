"""`GET /turns/ID/events`: the messages between a turn and Codex as they come, resumable from any event.

Owns the form of the events. The types: `message` (the default) and `delta` are lines of `events.jsonl`, `end` is the
turn's status with its answer; `id` is the line's `seq`, and after the end `SEQ.end`, with which a reconnecting
browser is told to stop (204).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable

from starlette.requests import Request
from starlette.responses import Response

from codex_server_cli.actions.read import read
from codex_server_cli.actions.read.feed import Turn
from codex_server_cli.core.documents.turn import dump
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.openai.refusal import invalid
from codex_server_cli.core.protocol.event_log import is_delta, seq_of
from codex_server_cli.gateway.http_answers import EventStream
from codex_server_cli.gateway.turns.face import TurnsFace
from codex_server_cli.gateway.turns.query import EVENTS, QueryOf
from codex_server_cli.gateway.turns.reading import whole_status

_CURSOR = re.compile(r"(-1|[0-9]{1,15})(\.end)?")


async def events(face: TurnsFace, request: Request) -> Response:
    """Follow a turn to its end."""
    query = QueryOf(request, *EVENTS)
    name = "Last-Event-ID" if "last-event-id" in request.headers else "after"
    given = request.headers.get("last-event-id", query.text("after") or "-1")
    match = _CURSOR.fullmatch(given)
    if match is None:
        raise invalid(f"`{name}` is the `id` of an event, not {given[:40]!r}", name, "invalid_value")
    directory = await face.find(request)
    view = await face.look(_readable, directory)
    if match[2]:
        return Response(status_code=204)
    if request.method == "HEAD":
        return Response(media_type="text/event-stream")
    shown = _StreamState(int(match[1]), has_deltas=query.switch("deltas", default=True), is_full=query.switch("full"))
    may_go_on: Callable[[], bool] = request.scope.get("is_still_allowed", lambda: True)
    stream = _stream(face, directory, shown, may_go_on, has_ended=view.state is not State.RUNNING)
    return EventStream(stream)


class _StreamState:
    """What a stream shows, and its position."""

    def __init__(self, after: int, *, has_deltas: bool, is_full: bool) -> None:
        self.after, self.is_full = after, is_full
        self._has_deltas = has_deltas

    def events_of(self, lines: bytes) -> bytes:
        """The events of whole lines of `events.jsonl`."""
        return b"".join(self._events_of(lines))

    def _events_of(self, lines: bytes) -> list[bytes]:
        found = []
        for line in lines[:-1].split(b"\n"):
            seq = seq_of(line)
            if seq is None or seq <= self.after:
                continue
            self.after = seq
            is_piece = is_delta(line)
            if self._has_deltas or not is_piece:
                line = line.replace(b"\r", b"")  # white space in JSON, but a line end in an event stream
                found.append(b"id: %d\n%sdata: %s\n\n" % (seq, b"event: delta\n" if is_piece else b"", line))
        return found


def _readable(directory: Turn) -> TurnView:
    """The turn, now: for another user's turn the error comes at once, not in the stream."""
    view = read.readable(directory)
    read.refuse_unless_readable(directory, directory.events)
    return view


async def _stream(
    face: TurnsFace, directory: Turn, shown: _StreamState, may_go_on: Callable[[], bool], *, has_ended: bool
) -> AsyncIterator[bytes]:
    offset = 0
    async with face.hub.feed(directory, has_ended=has_ended) as feed:
        while not feed.is_cut:
            size, is_over = feed.size, feed.is_over  # before its lines, or the last ones may be missed
            lines = await feed.lines_at(offset)
            offset += len(lines)
            if not may_go_on():  # logged out
                return
            if data := shown.events_of(lines):
                yield data
            if not lines:
                if is_over:
                    break
                await feed.change_after(size)
        is_cut = feed.is_cut
    if not is_cut:
        view = await face.look(read.status_after_repair, directory)
        document = dump(whole_status(view, is_full=shown.is_full), is_indented=False)
        yield b"id: %d.end\nevent: end\ndata: %s\n\n" % (shown.after, document.encode())
