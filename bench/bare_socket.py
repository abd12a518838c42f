"""The reference for a shared server: the minimum that drives turns through one. `bare_socket.py N SOCKET CWD PROMPT`.

One process for all N turns, each on its own connection. It implements only the part of WebSocket that it needs, and
after `turn/start` only searches for the bytes `"turn/completed"`. Prints the seconds from the first connection to the
last end. Must never get a feature, nor use the package for which it is the reference.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any

_READ_BYTES = 1 << 20
_END = b'"turn/completed"'
_UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
_FIN_TEXT, _MASKED = 0x81, 0x80
_NO_MASK = bytes(4)  # the key of a mask that changes nothing


class SocketDrive:
    """One turn on one connection."""

    def __init__(self, path: str, cwd: str, prompt: str) -> None:
        self.has_ended = False
        self._cwd, self._prompt = cwd, prompt
        self._rest = b""
        self._is_upgraded = self._has_started = False
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.sendall(_UPGRADE)

    def on_readable(self) -> bool:
        """Read; False once the turn has ended."""
        data = self.socket.recv(_READ_BYTES)
        assert data, "the connection was lost"
        self._rest += data
        if not self._is_upgraded:
            self._upgrade()
        elif not self._has_started:
            self._answer_messages()
        else:
            self.has_ended = _END in self._rest
            self._rest = self._rest[-len(_END) :]
        return not self.has_ended

    def _upgrade(self) -> None:
        head, end, rest = self._rest.partition(b"\r\n\r\n")
        if end:
            assert b" 101 " in head, head
            self._is_upgraded, self._rest = True, rest
            capabilities = {"experimentalApi": True}
            self._send(1, "initialize", {"clientInfo": {"name": "bare", "version": "0"}, "capabilities": capabilities})

    def _answer_messages(self) -> None:
        for message in map(json.loads, self._frames()):
            if message.get("id") == 1:
                self._send_message({"method": "initialized"})
                policy = {"approvalPolicy": "never", "sandbox": "read-only"}
                self._send(2, "thread/start", {"cwd": self._cwd, **policy})
            elif message.get("id") == 2:
                self._start_turn(message["result"]["thread"]["id"])

    def _start_turn(self, thread_id: str) -> None:
        self._has_started = True
        sandbox = {"type": "readOnly", "networkAccess": False}
        what = {"threadId": thread_id, "input": [{"type": "text", "text": self._prompt}], "cwd": self._cwd}
        self._send(3, "turn/start", {**what, "approvalPolicy": "never", "sandboxPolicy": sandbox})

    def _frames(self) -> Iterator[bytes]:
        """The contents of the complete frames received; the server neither splits nor masks messages."""
        while len(self._rest) >= 2:
            size, begin = self._rest[1], 2
            if size >= 126:
                begin = 4 if size == 126 else 10
                size = int.from_bytes(self._rest[2:begin], "big") if len(self._rest) >= begin else _READ_BYTES
            if len(self._rest) < begin + size:
                return
            frame, self._rest = self._rest[begin : begin + size], self._rest[begin + size :]
            yield frame

    def _send(self, number: int, method: str, params: dict[str, Any]) -> None:
        self._send_message({"id": number, "method": method, "params": params})

    def _send_message(self, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode()
        size = (
            bytes([_MASKED | len(data)]) if len(data) < 126 else bytes([_MASKED | 126]) + len(data).to_bytes(2, "big")
        )
        self.socket.sendall(bytes([_FIN_TEXT]) + size + _NO_MASK + data)


def main() -> None:
    """Drive N concurrent turns to their ends."""
    n, path, cwd, prompt = sys.argv[1:]
    started = time.perf_counter()
    selector = selectors.DefaultSelector()
    for _ in range(int(n)):
        drive = SocketDrive(path, cwd, prompt)
        selector.register(drive.socket, selectors.EVENT_READ, drive)
    while selector.get_map():
        for key, _ in selector.select():
            if not key.data.on_readable():
                selector.unregister(key.fileobj)
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main()
