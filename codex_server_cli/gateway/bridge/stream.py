"""`POST /stream`: one call and all events of its turn. Owns the open streams, and resuming one."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict

from starlette.requests import Request
from starlette.responses import Response

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.core.protocol import rpc
from codex_server_cli.gateway.bridge.messages import MessageGate, client_of, read_message
from codex_server_cli.gateway.bridge.requests import ServerRequests
from codex_server_cli.gateway.bridge.shared_connection import BridgeConnection
from codex_server_cli.gateway.bridge.turn_stream import TurnStream
from codex_server_cli.gateway.errors import stopping
from codex_server_cli.gateway.http_answers import EventStream
from codex_server_cli.gateway.state import Gateway

KEPT_S = 60.0
"""How long a stream can be resumed after its end."""
MOST_KEPT_BYTES = 32 * 1024 * 1024
"""For all ended streams together; the oldest are dropped first."""
_PATIENCE_S = 5.0
"""How long a stream may wait for a slot before the response starts; until then a refusal has a status code."""
_EVENT_ID = re.compile(r"([0-9a-f]{32})\.([0-9]{1,15})")


class Streams:
    """The streams of one gateway, and its two handlers."""

    def __init__(self, gateway: Gateway, shared: BridgeConnection, gate: MessageGate, requests: ServerRequests) -> None:
        self._gateway, self._shared, self._gate, self._requests = gateway, shared, gate, requests
        self._streams: OrderedDict[str, TurnStream] = OrderedDict()
        gateway.on_stop(self._stop)

    async def post(self, request: Request) -> Response:
        """Start a stream, or resume one if the request names the last event seen."""
        if "last-event-id" in request.headers:
            return await self.resume(request)
        client, message = client_of(request), await read_message(request)
        if rpc.message_type(message) is not rpc.MessageType.REQUEST or message["method"] == "initialize":
            raise ApiError(400, "a stream begins with a request: an `id`, a `method`, `params`", code="invalid_message")
        stream = TurnStream(self._gateway, self._shared, self._requests, await self._gate.let_through(message), client)
        self._streams[stream.frames.stream_id] = stream
        stream.running.add_done_callback(lambda _: self._keep_for_a_while(stream))
        admitted = asyncio.ensure_future(stream.admitted.wait())
        await asyncio.wait((stream.running, admitted), timeout=_PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        admitted.cancel()
        if stream.running.done() and not stream.admitted.is_set():
            stream.running.result()  # raises the reason
        stream.expect_reader()
        return EventStream(stream.events(0))

    async def resume(self, request: Request) -> Response:
        """Resume a stream after the event in `Last-Event-ID`."""
        found = _EVENT_ID.fullmatch(request.headers.get("last-event-id", ""))
        if found is None:
            message = "`Last-Event-ID` is the `id` of an event of a stream; POST /stream begins one"
            raise ApiError(400, message, code="invalid_header")
        stream, number = self._streams.get(found[1]), int(found[2])
        if stream is None or not stream.frames.has_after(number):
            what = "there is no such stream" if stream is None else "these events are kept no more"
            message = f"{what}; one can be resumed for {KEPT_S:g} s after its end"
            raise ApiError(410, message, type="not_found", code="stream_gone")
        if stream.frames.is_ended and number == stream.frames.last:
            return Response(status_code=204)  # tells a browser not to reconnect
        return EventStream(stream.events(number))

    def _keep_for_a_while(self, stream: TurnStream) -> None:
        loop, stream_id = asyncio.get_running_loop(), stream.frames.stream_id
        self._streams.move_to_end(stream_id)
        loop.call_later(KEPT_S, self._streams.pop, stream_id, None)
        ended = [each for each in self._streams.values() if each.frames.is_ended]
        rest = MOST_KEPT_BYTES
        for each in reversed(ended):
            rest -= each.frames.size
            if rest < 0:
                self._streams.pop(each.frames.stream_id, None)

    async def _stop(self) -> None:
        """At shutdown: end all running streams."""
        running = [stream for stream in self._streams.values() if not stream.frames.is_ended]
        await asyncio.gather(*(stream.abandon(stopping()) for stream in running))
