"""App-servers that speak the protocol up to the point where they fail. Named in `codex.write(path, NAME)`.

Owns what each does wrong; `PipeClient` speaks the protocol, so that one behaviour is a few lines. Must import the
standard library alone: see `codex`.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from typing import Any, NoReturn

Json = dict[str, Any]

FIRST_HALF, SECOND_HALF = "The first half, ", "and the second."
WHOLE = FIRST_HALF + SECOND_HALF
DELTAS = 100_000
LONG_TEXT_BYTES = 40_000
LONG_LINE_BYTES = 50_000_000
STDERR_BYTES = 20_000_000
TOKENS = 120
LIMITS = {"primary": {"usedPercent": 100, "windowDurationMins": 300, "resetsAt": 2_000_000_000}}

_THREAD, _TURN, _MESSAGE = "11111111-2222-7333-8444-555555555555", "turn-1", "msg-1"
_USAGE = {"totalTokens": TOKENS, "inputTokens": 100, "cachedInputTokens": 0, "outputTokens": 20}
_IN_PROGRESS: Json = {"id": _TURN, "status": "inProgress", "items": [], "error": None}
_COMPLETED = {**_IN_PROGRESS, "status": "completed"}
_SPOKEN = {"type": "agentMessage", "id": _MESSAGE, "phase": "final_answer", "text": WHOLE}
_REPLIES: dict[str, Json] = {
    "initialize": {"userAgent": "codex_server/0.163.0 (a fake)"},
    "account/read": {"account": None, "requiresOpenaiAuth": False},
    "thread/start": {"thread": {"id": _THREAD}, "model": "fake", "sandbox": {"type": "readOnly"}},
    "turn/start": {"turn": _IN_PROGRESS},
}


class PipeClient:
    """The other end of the pipes: codex-server, as its app-server sees it."""

    def write(self, data: bytes) -> None:
        """Write all these bytes to stdout."""
        view = memoryview(data)
        while view:
            view = view[os.write(1, view) :]

    def notify(self, method: str, **params: Any) -> None:
        """A notification about our turn."""
        self.write(_encode(method, params))

    def answer_until(self, method: str) -> Json:
        """Answer every request before the first of this method, and return that one unanswered."""
        for line in sys.stdin.buffer:
            message: Json = json.loads(line)
            if message.get("method") == method:
                return message
            if "id" in message:
                self.reply(message, _REPLIES.get(message["method"], {}))
        sys.exit(0)

    def reply(self, request: Json, result: Json) -> None:
        """Answer a request."""
        self.write(json.dumps({"id": request["id"], "result": result}).encode() + b"\n")

    def begin(self) -> None:
        """Everything up to the first half of the answer: the turn runs, and has used tokens."""
        self.reply(self.answer_until("turn/start"), _REPLIES["turn/start"])
        self.notify("turn/started", turn=_IN_PROGRESS)
        self.notify("thread/tokenUsage/updated", tokenUsage={"last": _USAGE, "total": _USAGE})
        self.notify("item/started", item={**_SPOKEN, "text": ""})
        self.say(FIRST_HALF)

    def say(self, text: str) -> None:
        """A piece of the answer."""
        self.notify("item/agentMessage/delta", itemId=_MESSAGE, delta=text)

    def end_message(self) -> None:
        """The rest of the answer."""
        self.say(SECOND_HALF)
        self.notify("item/completed", item=_SPOKEN)

    def complete(self) -> None:
        """The rest of the answer, and the end of the turn."""
        self.end_message()
        self.notify("turn/completed", turn=_COMPLETED)

    def ignore(self) -> NoReturn:
        """Read on and answer nothing; exit at EOF of stdin."""
        sys.stdin.buffer.read()
        sys.exit(0)


def _encode(method: str, params: Json) -> bytes:
    return json.dumps({"method": method, "params": {"threadId": _THREAD, "turnId": _TURN, **params}}).encode() + b"\n"


def _unanswered(method: str) -> None:
    client = PipeClient()
    client.answer_until(method)
    client.ignore()


def _silent_mid_turn(client: PipeClient) -> None:
    """Send the first half, then nothing more."""
    client.begin()
    client.ignore()


def _sends_all(client: PipeClient) -> None:
    """Send the first half, the account's limits and something on stderr; then nothing more."""
    client.notify("account/rateLimits/updated", rateLimits=LIMITS)
    os.write(2, b"\x1b[31mERROR\x1b[0m out of cheese\n")
    client.begin()
    client.ignore()


def _bare_error(client: PipeClient) -> None:
    """As `_sends_all`, then run into the usage limit, without a notification of the end."""
    client.notify("account/rateLimits/updated", rateLimits=LIMITS)
    os.write(2, b"\x1b[31mERROR\x1b[0m out of cheese\n")
    client.begin()
    error = {"message": "You have hit your usage limit.", "codexErrorInfo": "usageLimitExceeded"}
    client.notify("error", error=error, willRetry=False)
    client.ignore()


def _chatty(client: PipeClient) -> None:
    """Mix in other output: bytes that are no text, JSON that is no message, or deeper than any stack."""
    client.write(b'Welcome!\n\n\xff\xfe\x00\n[1, 2]\n"text"\n{"id": 1.5, "result": {}}\n' + b"[" * 100_000 + b"\n")
    client.begin()
    client.write(b'\x00\x01\n{}\nnull\n{"method":"x","params":' + b"[" * 200_000 + b"]" * 200_000 + b"}\n")
    client.complete()
    client.ignore()


def _half_a_line(client: PipeClient) -> None:
    """Exit in the middle of a line."""
    client.begin()
    client.write(_encode("item/agentMessage/delta", {"itemId": _MESSAGE, "delta": SECOND_HALF})[:-20])


def _long_line(client: PipeClient) -> None:
    """A command's output in one line of 50 MB."""
    client.begin()
    output = "x" * LONG_LINE_BYTES
    command = {"type": "commandExecution", "id": "call-1", "command": "cat", "exitCode": 0, "aggregatedOutput": output}
    client.end_message()
    client.notify("item/completed", item=command)
    client.notify("turn/completed", turn=_COMPLETED)
    client.ignore()


def _many_lines(client: PipeClient) -> None:
    """100 000 deltas without a pause."""
    client.begin()
    piece = _encode("item/agentMessage/delta", {"itemId": _MESSAGE, "delta": "word "})
    client.write(piece * DELTAS)
    client.notify("item/completed", item={**_SPOKEN, "text": FIRST_HALF + "word " * DELTAS})
    client.notify("turn/completed", turn=_COMPLETED)
    client.ignore()


def _long_text(client: PipeClient) -> None:
    """A second half of 40 kB that never ends."""
    client.begin()
    for _ in range(LONG_TEXT_BYTES // 50):
        client.say("word " * 10)
    client.ignore()


def _flood(client: PipeClient) -> None:
    """20 MB on stderr in the middle of the answer."""
    client.begin()
    line = b"WARN of no interest whatever\n" * 1000
    for _ in range(STDERR_BYTES // len(line)):
        os.write(2, line)
    client.complete()
    client.ignore()


def _exits_mid_turn(client: PipeClient) -> None:
    """Exit with code 0 in the middle of the answer."""
    client.begin()
    print("I have better things to do", file=sys.stderr)


def _leaves_a_child(client: PipeClient) -> None:
    """The same while a process of another session holds its stdout open."""
    os.spawnlp(os.P_NOWAIT, "setsid", "setsid", "sleep", "300")
    _exits_mid_turn(client)


def _forgets_the_end(client: PipeClient) -> None:
    """Never report the end: be idle, and have the whole turn on record."""
    client.begin()
    client.end_message()
    client.notify("thread/status/changed", status={"type": "idle"})
    client.reply(client.answer_until("thread/turns/list"), {"data": [{**_COMPLETED, "items": [_SPOKEN]}]})
    client.ignore()


def _loses_the_end(client: PipeClient) -> None:
    """Fall silent in the middle, and have the turn on record as one that runs."""
    client.begin()
    client.reply(client.answer_until("thread/turns/list"), {"data": [_IN_PROGRESS]})
    client.ignore()


def _ends_twice(client: PipeClient) -> None:
    """Report the end twice, and then another one."""
    client.begin()
    client.end_message()
    end = _encode("turn/completed", {"turn": _COMPLETED})
    client.write(end + end + _encode("turn/completed", {"turn": {**_COMPLETED, "status": "failed"}}))
    client.ignore()


def _stubborn_at_the_end(client: PipeClient) -> None:
    """Complete the turn, then ignore EOF of stdin and SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    client.begin()
    client.complete()
    while True:
        signal.pause()


def _unreachable(client: PipeClient) -> None:
    """Retry the network again and again, ignoring interrupts."""
    client.begin()
    error = {"message": "Reconnecting... 1/∞", "codexErrorInfo": {"responseStreamDisconnected": {}}}
    while not _is_stdin_over(wait_s=0.02):
        client.notify("error", error=error, willRetry=True)


class _BusyClient(PipeClient):
    """A client whose every request is refused so many times before it is taken."""

    def __init__(self, times: float) -> None:
        self._times = times
        self._refused: dict[str, int] = {}

    def reply(self, request: Json, result: Json) -> None:
        refused = self._refused.get(request["method"], 0)
        self._refused[request["method"]] = refused + 1
        if refused < self._times:
            error = {"code": -32001, "message": "Server overloaded; retry later."}
            self.write(json.dumps({"id": request["id"], "error": error}).encode() + b"\n")
        else:
            super().reply(request, result)


def _too_busy(_: PipeClient) -> None:
    """Be too busy for each request twice."""
    client = _BusyClient(2)
    for _time in range(2):
        client.reply(client.answer_until("turn/start"), {})
    client.begin()
    client.complete()
    client.ignore()


def _ever_too_busy(_: PipeClient) -> None:
    """Be too busy without end."""
    _BusyClient(float("inf")).answer_until("nothing")


def _is_stdin_over(wait_s: float) -> bool:
    return bool(select.select([0], [], [], wait_s)[0]) and not os.read(0, 1 << 16)


APP_SERVERS = {
    "silent mid-turn": _silent_mid_turn,
    "sends all": _sends_all,
    "bare error": _bare_error,
    "chatty": _chatty,
    "half a line": _half_a_line,
    "long line": _long_line,
    "many lines": _many_lines,
    "long text": _long_text,
    "flood": _flood,
    "exits mid-turn": _exits_mid_turn,
    "leaves a child": _leaves_a_child,
    "forgets the end": _forgets_the_end,
    "loses the end": _loses_the_end,
    "ends twice": _ends_twice,
    "stubborn at the end": _stubborn_at_the_end,
    "unreachable": _unreachable,
    "too busy": _too_busy,
    "ever too busy": _ever_too_busy,
}


def main(name: str) -> None:
    """Act as an app-server: one of `APP_SERVERS`, or `no METHOD`, which never answers that request."""
    behaviour = APP_SERVERS.get(name)
    if behaviour is None:
        _unanswered(name.removeprefix("no "))
    else:
        behaviour(PipeClient())
