"""Responses of every face: JSON, errors, event streams. Owns their form."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping
from typing import Any, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.core.openai.wire_errors import codex_unavailable
from codex_server_cli.errors import CodexServerError, Exit
from codex_server_cli.gateway.bodies import read_json
from codex_server_cli.gateway.errors import client_gone, stopping
from codex_server_cli.gateway.upstream.connection import UpstreamError
from codex_server_cli.gateway.upstream.feed import FeedOverflow
from codex_server_cli.gateway.upstream.wire import UpstreamGone

__all__ = ["EventStream", "answer_of", "error_answer", "error_event", "json_answer", "read_json", "until_gone"]

T = TypeVar("T")
DEFECT = "internal"
"""The code of an internal error."""
KEEP_ALIVE_S = 10.0
_KEEP_ALIVE = b": ka\n"
"""One newline only: with two the official client reads an event without data (gateway notes, section 14)."""
_STATUS_OF = {
    Exit.USAGE: 400,
    Exit.BAD_INPUT: 400,
    Exit.NOT_FOUND: 404,
    Exit.NOT_LOGGED_IN: 401,
    Exit.CODEX_MISSING: 503,
    Exit.CANNOT_WRITE: 507,
    Exit.BUSY: 409,
    Exit.TIMEOUT: 504,
}
_EVENT_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
}


def json_answer(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A response with a JSON document."""
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return Response(body, status, headers, "application/json")


def error_answer(
    status: int,
    message: str,
    *,
    type: str,
    code: str | None = None,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
    hint: str = "",
) -> Response:
    """An error in the form that every face uses."""
    return json_answer(error_document(message, type=type, code=code, param=param, hint=hint), status, headers)


def error_document(
    message: str, *, type: str, code: str | None = None, param: str | None = None, hint: str = ""
) -> dict[str, Any]:
    """The body of an error, or its event in a stream."""
    error = {"message": message, "type": type, "param": param, "code": code}
    return {"error": error | ({"hint": hint} if hint else {})}


def refusal_of(error: Exception) -> tuple[ApiError, str]:
    """Map an exception to what the client is told: the error, and a hint.

    Args:
        error: any exception; an unknown one counts as an internal error.
    """
    hint = ""
    if isinstance(error, ApiError):
        found = error
    elif isinstance(error, CodexServerError):
        status, hint = _STATUS_OF.get(error.exit_code, 500), error.hint
        found = ApiError(status, error.message, type=str(error.kind), code=str(error.kind))
    elif isinstance(error, UpstreamGone):
        found = codex_unavailable(error.reason)
    elif isinstance(error, UpstreamError):
        found = ApiError(502, error.message, type="upstream_error", code=str(error.code))
    elif isinstance(error, FeedOverflow):
        found = ApiError(500, str(error), type="server_error", code="stream_overflow")
    elif isinstance(error, ClientDisconnect):
        found = client_gone()
    elif isinstance(error, HTTPException):
        kind = "not_found" if error.status_code == 404 else "invalid_request_error"
        found = ApiError(error.status_code, error.detail, type=kind, headers=tuple((error.headers or {}).items()))
    else:
        found = ApiError(500, f"a defect of codex-server: {_name_of(error)}", type="server_error", code=DEFECT)
    return found, hint


def _name_of(error: Exception) -> str:
    return type(error).__name__


def answer_of(error: Exception) -> Response:
    """The response to an exception."""
    found, hint = refusal_of(error)
    return error_answer(
        found.status,
        found.message,
        type=found.type,
        code=found.code,
        param=found.param,
        headers=dict(found.headers),
        hint=hint,
    )


class EventStream(Response):
    """An event stream: the generator's bytes as they come, and a comment after a long silence.

    When the client disconnects, the generator is closed, and its clean-up (an interrupt) is awaited.
    """

    def __init__(
        self,
        events: AsyncIterator[bytes],
        headers: Mapping[str, str] | None = None,
        *,
        failure_events: Callable[[Exception], bytes] | None = None,
    ) -> None:
        """Prepare it.

        Args:
            failure_events: how a stream ends that fails, or that the end of the gateway cuts (default: `error_event`).
        """
        self.status_code, self.background = 200, None
        self.init_headers({**_EVENT_HEADERS, **(headers or {})})
        self._events, self._failure_events = events, failure_events or error_event
        self._has_begun = self._is_sent = False

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        """See `Response`; without a length."""
        self.raw_headers = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `Response`."""
        sending = asyncio.ensure_future(self._send_all(scope, send))
        leaving = asyncio.ensure_future(_until_disconnect(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not (sending.done() or self._is_sent):  # a client that has received everything may be gone, too
                raise ClientDisconnect
            await sending
        except asyncio.CancelledError:  # shutdown
            await _cancelled(sending, leaving)
            if self._has_begun and not self._is_sent:
                await send(_body(self._failure_events(stopping())))
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            raise
        finally:
            await _cancelled(sending, leaving)

    async def _send_all(self, scope: Scope, send: Send) -> None:
        event: asyncio.Future[bytes] | None = None
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            self._has_begun = True
            while True:
                event = event or asyncio.ensure_future(_next(self._events))
                done, _ = await asyncio.wait((event,), timeout=KEEP_ALIVE_S)
                try:
                    data = event.result() if done else _KEEP_ALIVE
                except StopAsyncIteration:
                    break
                except Exception as error:
                    scope["failure"] = error
                    await send(_body(self._failure_events(error)))
                    break
                event = None if done else event
                await send(_body(data))
            self._is_sent = True  # from now on the server reports a disconnect
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await _to_its_end(asyncio.ensure_future(self._close(scope, event)))

    async def _close(self, scope: Scope, event: asyncio.Future[bytes] | None) -> None:
        failure: BaseException | None = None
        if event is not None:
            await _cancelled(event)
            failure = None if event.cancelled() else event.exception()
        if isinstance(self._events, AsyncGenerator):
            try:
                await self._events.aclose()
            except Exception as error:  # of an interrupt, say: the client has left, so only the log is told
                failure = error
        if failure is not None and not isinstance(failure, StopAsyncIteration):
            scope.setdefault("failure", failure)


def error_event(error: Exception) -> bytes:
    """The last event of a stream that fails; named, so that it is not mistaken for one of the stream's own."""
    return b"event: error\n" + error_data(error)


def error_data(error: Exception) -> bytes:
    """An error as an unnamed event."""
    found, hint = refusal_of(error)
    document = error_document(found.message, type=found.type, code=found.code, param=found.param, hint=hint)
    return f"data: {json.dumps(document, ensure_ascii=False)}\n\n".encode("utf-8", "replace")


async def until_gone(request: Request, coroutine: Coroutine[Any, Any, T]) -> T | None:
    """Answer a request whose body was read; if the client disconnects first, cancel the coroutine and await its end.

    Returns:
        Its result; None if the client has disconnected.
    """
    work = asyncio.ensure_future(coroutine)
    leaving = asyncio.ensure_future(_until_disconnect(request.receive))
    try:
        await asyncio.wait((work, leaving), return_when=asyncio.FIRST_COMPLETED)
        return work.result() if work.done() else None
    finally:
        await _cancelled(work, leaving)


async def shielded(running: asyncio.Future[T]) -> T:
    """Await a future that goes on running when the waiter is cancelled."""
    return await asyncio.shield(running)


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


async def _next(events: AsyncIterator[bytes]) -> bytes:
    return await anext(events)


def _body(data: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": True}


async def _cancelled(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks and await their end, even if the caller is cancelled meanwhile."""
    for task in tasks:
        task.cancel()
    await _to_its_end(asyncio.gather(*tasks, return_exceptions=True))


async def _to_its_end(future: asyncio.Future[Any]) -> None:
    """Wait until a future is done; a cancellation that arrives meanwhile is raised afterwards."""
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.shield(future)
        except asyncio.CancelledError as error:
            if future.cancelled():
                break
            cancelled = error
        except Exception:
            break
    if cancelled is not None:
        raise cancelled
