"""Streamed chat completions: by an HTTP client of the gateway, and by a bare client of its app-server, the reference.

Both run in this process, connect before the clock starts, and while it runs only search the received bytes for the
first delta and the end. The gateway's output is checked afterwards. The bare client sends what any client of an
app-server must send for a chat (thread, items, turn), and must never get a feature.
"""

from __future__ import annotations

import contextlib
import io
import json
import selectors
import socket
import time
from collections.abc import Sequence
from http.client import HTTPException, HTTPResponse
from typing import Any

from bench.bare_socket import SocketDrive

_READ_BYTES = 1 << 20
_SILENCE_S = 60.0
_REST_S = 5.0


class BenchChat:
    """One chat, connected and not begun. Subclasses define what is sent.

    Attributes:
        text: of its message, which the model repeats.
        socket: for its answer.
        data: the received bytes.
        first_s: when its first delta arrived, from `time.perf_counter`; 0 before.
    """

    first_mark: bytes
    end_mark: bytes

    def __init__(self, text: str, connection: socket.socket) -> None:
        self.text, self.socket = text, connection
        self.data = bytearray()
        self.first_s = 0.0

    def begin(self) -> None:
        """Send the first request."""
        raise NotImplementedError

    def on_readable(self) -> bool:
        """Read; False once the answer is complete, or the connection is lost."""
        data = b""
        with contextlib.suppress(ConnectionError):
            data = self.socket.recv(_READ_BYTES)
        searched = max(0, len(self.data) - len(self.first_mark))  # the first mark is the longest
        self.data += data
        if not self.first_s and self.data.find(self.first_mark, searched) >= 0:
            self.first_s = time.perf_counter()
        return bool(data) and self.data.find(self.end_mark, searched) < 0

    def is_astray(self) -> bool:
        """Whether the received data is not the right answer, as far as that is known; closes the connection."""
        self.socket.close()
        return not self.first_s or self.end_mark not in self.data


class GatewayChat(BenchChat):
    """A chat through the gateway, which listens on this port."""

    first_mark = b'"delta":{"content":'  # the chunk before it has a role
    end_mark = b"data: [DONE]"

    def __init__(self, port: int, text: str) -> None:
        super().__init__(text, socket.create_connection(("127.0.0.1", port)))
        self._port = port

    def begin(self) -> None:
        """See `BenchChat`."""
        body = json.dumps(body_of(self.text)).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nConnection: close\r\n"
        head = f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.socket.sendall(head.encode() + body)

    def is_astray(self) -> bool:
        """See `BenchChat`: anything but exactly one complete stream of one completion with the text."""
        with contextlib.suppress(OSError):
            self.socket.settimeout(_REST_S)
            while data := self.socket.recv(_READ_BYTES):
                self.data += data
        return super().is_astray() or not _is_one_stream(self.data, self.text)


class BareChat(BenchChat):
    """A chat on the app-server that listens on this Unix socket, with its own connection.

    Args:
        terms: parameters of `thread/start`.
    """

    first_mark = b'"item/agentMessage/delta"'
    end_mark = b'"turn/completed"'

    def __init__(self, path: str, terms: dict[str, Any], text: str) -> None:
        self._drive = _BareChatStart(path, terms, text)
        super().__init__(text, self._drive.socket)

    def begin(self) -> None:
        """See `BenchChat`."""
        self._drive.start_thread()

    def on_readable(self) -> bool:
        """See `BenchChat`."""
        return super().on_readable() if self._drive.is_over else self._drive.on_readable()


class _BareChatStart(SocketDrive):
    """The connection of a bare chat, until its turn is started."""

    def __init__(self, path: str, terms: dict[str, Any], text: str) -> None:
        super().__init__(path, "", text)
        self._terms = terms
        self._thread = ""
        self.is_over = self._is_ready = False
        while not self._is_ready:
            self.on_readable()

    def start_thread(self) -> None:
        self._send(2, "thread/start", self._terms)

    def _answer_messages(self) -> None:
        for message in map(json.loads, self._frames()):
            match message.get("id"):
                case 1:
                    self._send_message({"method": "initialized"})
                    self._is_ready = True
                case 2:
                    self._thread = message["result"]["thread"]["id"]
                    content = [{"type": "input_text", "text": self._prompt}]
                    items = [{"type": "message", "role": "user", "content": content}]
                    self._send(3, "thread/inject_items", {"threadId": self._thread, "items": items})
                case 3:
                    self._send(4, "turn/start", {"threadId": self._thread, "input": [], "environments": []})
                    self.is_over = True


def body_of(text: str) -> dict[str, Any]:
    """The body of a chat completion request."""
    return {"messages": [{"role": "user", "content": text}], "stream": True}


def answer_all(chats: Sequence[BenchChat]) -> tuple[float, float]:
    """Begin all of them concurrently and read their answers to the end.

    Returns:
        Seconds until the last of their first deltas, and until the last end.
    """
    started = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for chat in chats:
            chat.begin()
            selector.register(chat.socket, selectors.EVENT_READ, chat)
        while selector.get_map():
            ready = selector.select(_SILENCE_S)
            for key, _ in ready:
                if not key.data.on_readable():
                    selector.unregister(key.fileobj)
            if not ready:
                break
    ended = time.perf_counter()
    return max(chat.first_s or ended for chat in chats) - started, ended - started


def _is_one_stream(data: bytes | bytearray, text: str) -> bool:
    try:
        answer = HTTPResponse(_Replayed(data))  # type: ignore[arg-type]
        answer.begin()
        *events, done = answer.read().decode().removesuffix("\n\n").split("\n\n")
        chunks = [json.loads(event.removeprefix("data: ")) for event in events]
        choices = [chunk["choices"][0] for chunk in chunks]
    except (HTTPException, OSError, ValueError, LookupError):
        return False
    said = "".join(choice["delta"].get("content", "") for choice in choices)
    finishes = [choice["finish_reason"] for choice in choices]
    is_one = len({chunk["id"] for chunk in chunks}) == 1 and finishes == [None] * (len(chunks) - 1) + ["stop"]
    return is_one and (answer.status, said, done) == (200, text, "data: [DONE]")


class _Replayed:
    """Enough of a socket for `HTTPResponse` to parse the received bytes."""

    def __init__(self, data: bytes | bytearray) -> None:
        self._data = data

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)
