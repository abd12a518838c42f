"""The reference: the minimum that drives turns through `codex app-server`. `bare.py N CODEX CWD PROMPT`.

One process for all N turns. It decodes only what it needs to start a turn, and then only searches for the bytes
`"turn/completed"`: no decoding, no files. Prints the seconds of the longest stream, from `turn/start` on. Must never
get a feature, nor use the package for which it is the reference.
"""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import subprocess
import sys
import time
from typing import Any

_READ_BYTES = 1 << 20
_END = b'"turn/completed"'
_F_SETPIPE_SZ = getattr(fcntl, "F_SETPIPE_SZ", None)


class Drive:
    """One turn of one app-server."""

    def __init__(self, codex: str, cwd: str, prompt: str) -> None:
        self.stream_s = 0.0
        self._cwd, self._prompt = cwd, prompt
        self._rest = b""
        self._started = 0.0
        self._process = subprocess.Popen(
            [codex, "app-server"],
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self.fd = self._process.stdin, self._process.stdout.fileno()
        if _F_SETPIPE_SZ is not None:
            fcntl.fcntl(self.fd, _F_SETPIPE_SZ, _READ_BYTES)  # as the worker does
        capabilities = {"experimentalApi": True}
        self._send(1, "initialize", {"clientInfo": {"name": "bare", "version": "0"}, "capabilities": capabilities})

    def on_readable(self) -> bool:
        """Read; False once codex has ended."""
        data = os.read(self.fd, _READ_BYTES)
        if not data:
            self._process.wait()
            return False
        if not self._started:
            self._rest += data
            self._answer_lines()
        elif not self.stream_s:
            if _END in self._rest + data:
                self.stream_s = time.perf_counter() - self._started
                self._stdin.close()
            self._rest = data[-len(_END) :]
        return True

    def _answer_lines(self) -> None:
        *lines, self._rest = self._rest.split(b"\n")
        for message in map(json.loads, lines):
            if message.get("id") == 1:
                self._stdin.write(b'{"method":"initialized"}\n')
                policy = {"approvalPolicy": "never", "sandbox": "read-only"}
                self._send(2, "thread/start", {"cwd": self._cwd, **policy})
            elif message.get("id") == 2:
                self._start_turn(message["result"]["thread"]["id"])

    def _start_turn(self, thread_id: str) -> None:
        self._started = time.perf_counter()
        sandbox = {"type": "readOnly", "networkAccess": False}
        what = {"threadId": thread_id, "input": [{"type": "text", "text": self._prompt}], "cwd": self._cwd}
        self._send(3, "turn/start", {**what, "approvalPolicy": "never", "sandboxPolicy": sandbox})

    def _send(self, number: int, method: str, params: dict[str, Any]) -> None:
        self._stdin.write(json.dumps({"id": number, "method": method, "params": params}).encode() + b"\n")


def main() -> None:
    """Drive N concurrent turns to their ends."""
    n, codex, cwd, prompt = sys.argv[1:]
    drives = [Drive(codex, cwd, prompt) for _ in range(int(n))]
    selector = selectors.DefaultSelector()
    for drive in drives:
        selector.register(drive.fd, selectors.EVENT_READ, drive)
    while selector.get_map():
        for key, _ in selector.select():
            if not key.data.on_readable():
                selector.unregister(key.fd)
    assert all(drive.stream_s for drive in drives), "a turn did not complete"
    print(max(drive.stream_s for drive in drives))


if __name__ == "__main__":
    main()
