"""Reading the body of a request: what is taken, and that nothing makes it take more than it may."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
import zlib
from collections.abc import Iterable
from typing import Any

import pytest
from starlette.requests import Request

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.gateway import bodies
from codex_server_cli.gateway.http_answers import read_json
from tests.kit.cases import for_each


def read(pieces: Iterable[bytes], *, leaves: bool = False, may_have_halves: bool = False, **headers: str) -> Any:
    """What comes of a body in these pieces."""
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages.append({"type": "http.disconnect"} if leaves else {"type": "http.request", "body": b""})

    async def receive() -> Any:
        return messages.pop(0)

    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return asyncio.run(read_json(Request({"type": "http", "headers": pairs}, receive), may_have_halves=may_have_halves))


def refusal_of(pieces: Iterable[bytes], **more: Any) -> tuple[int, str | None]:
    """The status and code of its refusal."""
    with pytest.raises(ApiError) as refusal:
        read(pieces, **more)
    return refusal.value.status, refusal.value.code


DOCUMENT = {"prompt": "ä 😀", "n": [1, 2.5, None, 1e3]}
PLAIN = json.dumps(DOCUMENT).encode()


@for_each(
    ("body", "encoding"),
    [
        (PLAIN, ""),
        (b"\xef\xbb\xbf" + PLAIN, "identity"),
        (gzip.compress(PLAIN), "gzip"),
        (gzip.compress(PLAIN), "GZIP"),
        (zlib.compress(PLAIN), "deflate"),
    ],
)
def test_json_is_read_however_it_is_packed_and_cut(body: bytes, encoding: str) -> None:
    assert read([body], content_encoding=encoding) == DOCUMENT
    assert read([body[at : at + 1] for at in range(len(body))], content_encoding=encoding) == DOCUMENT


@for_each(
    "body",
    [
        b"",
        b"  ",
        b"{",
        b"\xff\xfe",
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b'{"a": "\\ud83d"}',
        b"[" * 100_000,
        b"1" * 5000,
        '{"a": 1}'.encode("utf-16"),
    ],
)
def test_what_is_no_json_or_would_be_dropped_by_codex_is_refused(body: bytes) -> None:
    assert refusal_of([body]) == (400, "invalid_json")


def test_half_a_character_is_left_to_a_caller_that_replaces_it_and_a_number_too_large_to_none() -> None:
    assert read([b'{"a": "\\ud83d"}'], may_have_halves=True) == {"a": "\ud83d"}
    assert refusal_of([b'{"a": 1e999}'], may_have_halves=True) == (400, "invalid_json")


def test_a_whole_character_of_two_halves_is_one() -> None:
    assert read([b'"\\ud83d\\ude00"']) == "😀"


@for_each(
    ("body", "encoding", "expected"),
    [
        (PLAIN, "gzip", (400, "invalid_encoding")),
        (gzip.compress(PLAIN)[:-9], "gzip", (400, "invalid_encoding")),
        (PLAIN, "br", (415, "unsupported_encoding")),
        (PLAIN, "gzip, gzip", (415, "unsupported_encoding")),
    ],
)
def test_what_cannot_be_inflated_is_refused(body: bytes, encoding: str, expected: tuple[int, str]) -> None:
    assert refusal_of([body], content_encoding=encoding) == expected


def test_a_client_that_leaves_in_the_middle_is_told_nothing_wrong() -> None:
    assert refusal_of([PLAIN[:5]], leaves=True) == (400, "client_gone")


def test_what_is_too_large_is_refused_before_it_is_read() -> None:
    assert refusal_of([], content_length=str(bodies.MOST_BODY_BYTES + 1)) == (413, "request_too_large")
    assert refusal_of([], content_length="9" * 5000) == (413, "request_too_large")


def test_a_bomb_is_refused_at_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = gzip.compress(bytes(64 << 20))
    monkeypatch.setattr(bodies, "MOST_BODY_BYTES", 1 << 20)
    tracemalloc.start()
    try:
        assert refusal_of([bomb], content_encoding="gzip") == (413, "request_too_large")
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert read([gzip.compress(PLAIN)], content_encoding="gzip") == DOCUMENT


def test_a_body_of_brackets_alone_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_MOST_VALUES", 100)
    assert refusal_of([b"[" + b"[]," * 200 + b"0]"]) == (413, "request_too_large")


def test_a_body_counts_until_its_request_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_MOST_AT_ONCE_BYTES", 1500)
    assert refusal_of([b" " * 800, b" " * 800]) == (503, "gateway_busy")
    assert refusal_of([b"[" + b"0," * 30 + b"0]"]) == (503, "gateway_busy")  # small, but not in memory

    async def run() -> None:
        room = bodies.BodyRoom()

        def request() -> Request:
            async def receive() -> Any:
                return {"type": "http.request", "body": b" " * 999 + b"1"}

            return Request({"type": "http", "headers": [], "body_room": room}, receive)

        first = request()
        assert await read_json(first) == 1
        with pytest.raises(ApiError) as refusal:
            await read_json(second := request())
        assert dict(refusal.value.headers)["Retry-After"] == "1"
        for each in (first, second, second):
            room.release(each.scope)
        assert room.size == 0
        assert await read_json(request()) == 1

    asyncio.run(run())


def test_a_large_body_is_parsed_beside_the_loop() -> None:
    text = "x" * (2 << 20)
    assert read([json.dumps(text).encode()]) == text


def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_BODY_S", 0.01)

    async def receive() -> Any:
        await asyncio.Event().wait()

    with pytest.raises(ApiError) as refusal:
        asyncio.run(read_json(Request({"type": "http", "headers": []}, receive)))
    assert (refusal.value.status, refusal.value.code) == (408, "request_timeout")


def test_a_refused_body_is_read_to_its_end_to_a_bound_and_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if not messages:
            await asyncio.Event().wait()
        return messages.pop(0)

    piece = {"type": "http.request", "body": b"x" * 1024, "more_body": True}
    messages += [piece, piece, {"type": "http.request", "body": b"x"}, {"type": "http.disconnect"}]
    asyncio.run(bodies.skip_body(receive))
    assert messages == [{"type": "http.disconnect"}]
    messages[:] = [piece] * 2000
    asyncio.run(bodies.skip_body(receive))
    assert len(messages) == 2000 - 1024
    monkeypatch.setattr(bodies, "_SKIPPED_S", 0.0)
    messages[:] = []
    asyncio.run(bodies.skip_body(receive))
