"""Reading the body of a request: how long, how large, inflated. Owns these bounds."""

from __future__ import annotations

import asyncio
import json
import zlib
from typing import Any

from starlette.requests import ClientDisconnect, Request

from codex_server_cli.core.openai.refusal import ApiError

MOST_BODY_BYTES = 64 * 1024 * 1024
_BODY_S = 120.0


async def read_json(request: Request) -> Any:
    """The JSON body of a request: UTF-8, with or without a byte order mark; gzip and deflate are inflated.

    Raises:
        ApiError: it is none, too large, or does not come in time.
    """
    body = await read_body(request)
    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        what = "it is empty" if not body.strip() else str(error)
        raise ApiError(400, f"the body is not JSON: {what}", code="invalid_json") from error


async def read_body(request: Request) -> bytes:
    """The body of a request, inflated.

    Raises:
        ApiError: it is too large, or does not come in time.
    """
    inflater = _inflater(request.headers.get("content-encoding", ""))
    pieces: list[bytes] = []
    rest_bytes = MOST_BODY_BYTES
    try:
        async with asyncio.timeout(_BODY_S):
            async for piece in request.stream():
                plain = piece if inflater is None else inflater.decompress(piece, rest_bytes + 1)
                rest_bytes -= len(plain)
                if rest_bytes < 0:
                    raise _too_large()
                pieces.append(plain)
    except zlib.error as error:
        raise ApiError(400, f"the body cannot be inflated: {error}", code="invalid_encoding") from error
    except TimeoutError as error:
        raise ApiError(408, f"the body did not come within {_BODY_S:g} s", code="request_timeout") from error
    except ClientDisconnect as error:
        raise ApiError(400, "the client left before the end of the body", code="client_gone") from error
    if inflater is not None and not inflater.eof:
        raise ApiError(400, "the body cannot be inflated: it ends too early", code="invalid_encoding")
    return b"".join(pieces)


def _inflater(encoding: str) -> Any:
    """What inflates a body; None where there is nothing to inflate."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return None
    if name not in ("gzip", "x-gzip", "deflate"):
        raise ApiError(415, "this Content-Encoding is not known; gzip is", code="unsupported_encoding")
    return zlib.decompressobj(zlib.MAX_WBITS | 32)  # finds out which of the two it is


def _too_large() -> ApiError:
    message = f"the body has more than {MOST_BODY_BYTES >> 20} MiB"
    return ApiError(413, message, code="request_too_large", headers=(("Connection", "close"),))


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is none of its numbers")
