"""A client for the self-test: one request at a time, over HTTP, in a thread. Owns sockets and clocks."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from codex_server_cli.core.openai.selftest.probe import Probe, ProbeReply, WrongAnswer, joined
from codex_server_cli.core.protocol.rpc import at, objects_in

_SILENCE_S = 300.0
"""The timeout for each byte: a model may reason for long, and only streams have keep-alives."""


class SelftestClient:
    """Sends requests to one gateway.

    Args:
        address: `http://HOST:PORT`.
        token: required by the gateway.
        way_of: what happened to the previous request's thread, given a request's id.
    """

    def __init__(self, address: str, token: str, way_of: Callable[[str], str | None]) -> None:
        self._host, self._token, self._way_of = urlsplit(address).netloc, token, way_of
        self._socket: socket.socket | None = None

    def leave(self) -> None:
        """Abort the running request, from another thread."""
        if self._socket is not None:
            with contextlib.suppress(OSError):  # already finished
                self._socket.shutdown(socket.SHUT_RDWR)

    def ask(self, probe: Probe) -> ProbeReply:
        """Make a request.

        Raises:
            WrongAnswer: the response is not valid HTTP or JSON.
        """
        connection = http.client.HTTPConnection(self._host, timeout=_SILENCE_S)
        began = time.monotonic()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"}
        try:
            connection.connect()
            self._socket = connection.sock
            connection.request("POST", probe.path, json.dumps(probe.body).encode(), headers)
            response = connection.getresponse()
            is_stream = response.headers.get_content_type() == "text/event-stream"
            first_ms, document = _read_stream(response, began) if is_stream else (None, json.loads(response.read()))
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise WrongAnswer(f"no answer: {error or type(error).__name__}") from error
        finally:
            self._socket = None
            connection.close()
        request_id = response.headers.get("x-request-id")
        way = self._way_of(request_id) if request_id else None
        return ProbeReply(response.status, document, _ms_since(began), first_ms, request_id, way)


def _read_stream(response: http.client.HTTPResponse, began: float) -> tuple[int | None, Any]:
    """The milliseconds until the first text, and the completion."""
    first_ms, chunks = None, []
    for chunk in _events(response):
        chunks.append(chunk)
        has_text = any(at(choice, "delta.content", str) for choice in objects_in(at(chunk, "choices", list)))
        if has_text and first_ms is None:
            first_ms = _ms_since(began)
    return first_ms, joined(chunks)


def _events(response: http.client.HTTPResponse) -> Iterator[Any]:
    """The JSON value of each event, up to `[DONE]`; raises `ValueError` if the end is missing, or for invalid JSON."""
    for line in response:
        name, _, value = line.strip().partition(b": ")
        if (name, value) == (b"data", b"[DONE]"):
            return
        if name == b"data":
            yield json.loads(value)
    raise ValueError("the stream has no end")


def _ms_since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
