"""The lines of `events.jsonl`: written as messages pass, read back by the repairer. Owns only their format.

A line is the message's members, verbatim, after those of the log: `{"seq":N,"ts":MS,"dir":"in"|"out", …}`; a reply
without a user's decision has `"why"` after them. `"dir":"session"` is a line of the thread's session file, logged if
only that reports a refused call. Splicing bytes instead of encoding again keeps a 3 MB line cheap and exact. Input that
is not a message is logged as `"invalid"` text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from codex_server_cli.core.protocol.rpc import Message, MessageType, message_type, parse_line

MAX_INVALID_CHARS = 2000
_LOG_MEMBERS = frozenset({"seq", "ts", "dir"})
_DIRECTIONS = ("in", "out")
_SESSION = "session"


class EventLog:
    """Numbers the messages of one turn and turns them into lines; keeps no message."""

    def __init__(self, next_seq: int = 0) -> None:
        self.next_seq = next_seq

    def line_in(self, raw: bytes, message: Message | None, now_ms: int) -> bytes:
        """The event line of one received line; `message` is its decoded form, None if it is not a message."""
        if message is None or _LOG_MEMBERS & message.keys():
            # Not a message, or one whose members would collide with those of the log.
            text = raw[: 4 * MAX_INVALID_CHARS].decode("utf-8", "replace")[:MAX_INVALID_CHARS]
            return self._line(b'"in"', json.dumps({"invalid": text}).encode(), now_ms)
        return self._line(b'"in"', raw.strip(), now_ms)

    def line_out(self, encoded: bytes, now_ms: int, why: str | None = None) -> bytes:
        """The event line of one sent message, as encoded for the wire; `why` it was sent, if no user decided it."""
        reason = b"" if why is None else b',"why":%s' % json.dumps(why).encode()
        return self._line(b'"out"' + reason, encoded.strip(), now_ms)

    def line_session(self, raw: bytes, now_ms: int) -> bytes:
        """The event line of one line of the thread's session file."""
        return self._line(b'"session"', raw.strip(), now_ms)

    def _line(self, direction: bytes, body: bytes, now_ms: int) -> bytes:
        seq, self.next_seq = self.next_seq, self.next_seq + 1
        rest = body[1:].lstrip()
        comma = b"" if rest.startswith(b"}") else b","
        return b'{"seq":%d,"ts":%d,"dir":%s%s%s\n' % (seq, now_ms, direction, comma, rest)


def read_events(log: bytes | Iterable[bytes]) -> Iterator[Message]:
    """The events of a log, given as bytes or as lines, oldest first. A torn or foreign line is skipped."""
    for line in log.split(b"\n") if isinstance(log, bytes) else log:
        event = parse_line(line)
        if event is not None and (event.get("dir") == _SESSION or _is_message(event)):
            yield event


def _is_message(event: Message) -> bool:
    return event.get("dir") in _DIRECTIONS and message_type(event) is not MessageType.INVALID


_DELTA_METHODS = re.compile(rb'"method":"[A-Za-z/]*[dD]elta"')
_SEQ = re.compile(rb'\{"seq":(\d+),')


def is_delta(line: bytes) -> bool:
    """Whether an event line is a streaming delta, detected without decoding it."""
    return _DELTA_METHODS.search(line, 0, 200) is not None


def seq_of(line: bytes) -> int | None:
    """The sequence number of an event line, read without decoding it."""
    match = _SEQ.match(line)
    return int(match.group(1)) if match else None
