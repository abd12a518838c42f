"""Reading a request's body: time limit, size limit, decompression. Owns these limits."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import zlib
from collections.abc import MutableMapping
from typing import Any

from anyio import to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from codex_server_cli.core.openai.refusal import ApiError

MOST_BODY_BYTES = 64 * 1024 * 1024
_MOST_AT_ONCE_BYTES = 8 * MOST_BODY_BYTES
_BODY_S = 120.0
_MOST_VALUES = 2_000_000
"""A body of brackets only would take twenty times its size in memory; the largest real ones have a tenth of this."""
_LONG_BYTES = 1024 * 1024
_SKIPPED_S, _SKIPPED_BYTES = 0.5, 1024 * 1024
_SUSPECT = re.compile(rb"\\u[dD][89a-fA-F]|[0-9][eE]\+?[0-9]{3}")


_VALUE_BYTES = 64
"""Memory that a value takes besides its text."""


class BodyRoom:
    """Memory for the bodies of all requests, from the first byte until each request is answered: hundreds of them may
    wait for a stream slot.

    Attributes:
        size: bytes in use.
    """

    def __init__(self) -> None:
        self.size = 0

    def take(self, scope: MutableMapping[str, Any], size: int) -> None:
        """Reserve memory for a request's body.

        Raises:
            ApiError: there is not enough left now.
        """
        self.size += size
        scope["body_size"] = scope.get("body_size", 0) + size
        if self.size > _MOST_AT_ONCE_BYTES:
            again = (("Retry-After", "1"), ("Connection", "close"))
            message = "too many large bodies at once"
            raise ApiError(503, message, type="server_error", code="gateway_busy", headers=again)

    def release(self, scope: MutableMapping[str, Any]) -> None:
        """Release what a request has reserved, once it is answered. Idempotent."""
        self.size -= scope.pop("body_size", 0)


async def read_json(request: Request, *, may_have_halves: bool = False) -> Any:
    """The JSON body of a request: UTF-8, with or without a byte order mark; gzip and deflate are decompressed.

    Args:
        may_have_halves: the caller replaces lone surrogates (JavaScript leaves them when it cuts a text); else they
        are refused.

    Raises:
        ApiError: it is not JSON, too large, or does not arrive in time.
    """
    body = await read_body(request)
    is_long = len(body) >= _LONG_BYTES
    n_values = await to_thread.run_sync(_n_values, body) if is_long else _n_values(body)
    if n_values > _MOST_VALUES:
        raise _too_large(f"the body has more than {_MOST_VALUES} values")
    room_of(request).take(request.scope, n_values * _VALUE_BYTES)
    if not is_long:
        return _parsed(body, may_have_halves)
    return await to_thread.run_sync(_parsed, body, may_have_halves)  # off the event loop


async def read_body(request: Request) -> bytes:
    """The body of a request, decompressed.

    Raises:
        ApiError: it is too large, or does not arrive in time.
    """
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > MOST_BODY_BYTES:
        raise _too_large(f"the body has more than {MOST_BODY_BYTES >> 20} MiB")
    inflater = _inflater(request.headers.get("content-encoding", ""))
    pieces, room = bytearray(), room_of(request)
    try:
        async with asyncio.timeout(_BODY_S):
            async for piece in request.stream():
                plain = piece if inflater is None else inflater.decompress(piece, MOST_BODY_BYTES + 1 - len(pieces))
                pieces += plain
                if len(pieces) > MOST_BODY_BYTES:
                    raise _too_large(f"the body has more than {MOST_BODY_BYTES >> 20} MiB")
                room.take(request.scope, len(plain))
    except zlib.error as error:
        raise ApiError(400, f"the body cannot be inflated: {error}", code="invalid_encoding") from error
    except TimeoutError as error:
        raise ApiError(408, f"the body did not come within {_BODY_S:g} s", code="request_timeout") from error
    except ClientDisconnect as error:
        raise ApiError(400, "the client left before the end of the body", code="client_gone") from error
    if inflater is not None and not inflater.eof:
        raise ApiError(400, "the body cannot be inflated: it ends too early", code="invalid_encoding")
    return bytes(pieces)


async def skip_body(receive: Receive) -> None:
    """Read the body of a refused request, for a short time.

    Closing a connection with unread data resets it, and the client may lose the response.
    """
    n_left = _SKIPPED_BYTES
    with contextlib.suppress(TimeoutError):  # a slow client gets the response all the same
        async with asyncio.timeout(_SKIPPED_S):
            while n_left > 0 and (message := await receive()).get("more_body"):
                n_left -= len(message.get("body", b""))


def room_of(request: Request) -> BodyRoom:
    """The gateway's `BodyRoom`, set by `RequestMiddleware`, which also releases what was reserved."""
    room: BodyRoom = request.scope.setdefault("body_room", BodyRoom())
    return room


def _n_values(body: bytes) -> int:
    """An upper bound of the number of values in a body."""
    return sum(map(body.count, (b",", b"[", b"{")))


def _parsed(body: bytes, may_have_halves: bool) -> Any:
    """Parse a body.

    Raises:
        ApiError: it is not JSON, or holds what Codex drops silently: a lone surrogate, a number that is too large.
    """
    try:
        value = json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant)
        if _SUSPECT.search(body):
            json.dumps(value, ensure_ascii=may_have_halves, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        what = "it is empty" if not body.strip() else str(error)
        raise ApiError(400, f"the body is not JSON: {what}", code="invalid_json") from error
    return value


def _inflater(encoding: str) -> Any:
    """The decompressor for a body; None if it is not compressed."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return None
    if name not in ("gzip", "x-gzip", "deflate"):
        raise ApiError(415, "this Content-Encoding is not known; gzip is", code="unsupported_encoding")
    return zlib.decompressobj(zlib.MAX_WBITS | 32)  # detects which of the two it is


def _too_large(message: str) -> ApiError:
    return ApiError(413, message, code="request_too_large", headers=(("Connection", "close"),))


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is none of its numbers")
