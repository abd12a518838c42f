"""Output on a stream before the app-server's first message. Owns where the messages begin.

A login shell on another host may print a greeting or the output of an rc file before it runs the command. Must never
touch what comes after the first message.
"""

from __future__ import annotations

import re
from itertools import islice

from codex_server_cli.core.protocol import rpc
from codex_server_cli.core.protocol.jsonl import LineDecoder

_MOST_TRIES = 50
"""How many opening braces are tried in one line, so that no line takes long."""


class Preamble:
    """Skips that output. Fed with the bytes of the stream; a greeting without a newline may precede the first message.

    Attributes:
        is_over: whether the first message has come.
    """

    def __init__(self) -> None:
        self.is_over = False
        self._decoder = LineDecoder()

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Take received bytes.

        Returns:
            The app-server's bytes, and the whole lines before them.
        """
        if self.is_over:
            return data, b""
        lines = self._decoder.feed(data)
        for number, line in enumerate(lines):
            start = _start_of_message(line)
            if start is not None:
                self.is_over = True
                rest = self._decoder.flush() or b""
                before = [*lines[:number], *([line[:start]] if start else [])]
                return _joined([line[start:], *lines[number + 1 :]]) + rest, _joined(before)
        return b"", _joined(lines)

    def flush(self) -> bytes:
        """At the end of the stream: the unfinished line that is not the app-server's."""
        return self._decoder.flush() or b""


def _start_of_message(line: bytes) -> int | None:
    for opening in islice(re.finditer(rb"\{", line), _MOST_TRIES):
        message = rpc.parse_line(line[opening.start() :])
        if message is not None and rpc.message_type(message) is not rpc.MessageType.INVALID:
            return opening.start()
    return None


def _joined(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)
