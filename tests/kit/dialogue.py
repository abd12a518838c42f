"""A test in the app-server's part: its messages, a record fed with them, a session driven by them. Asserts nothing."""

from __future__ import annotations

import json
from typing import Any

from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.model.server.terms import OWN_SERVER, ServerTerms
from codex_server_cli.core.model.turn import TurnError
from codex_server_cli.core.protocol.rpc import encode
from codex_server_cli.core.record.turn_record import THREAD_OPENERS, TurnRecord
from codex_server_cli.core.result.outcome import Cause, Outcome
from codex_server_cli.core.session.control import ShellRequest, read_shell_request
from codex_server_cli.core.session.outbox import Reply, Step
from codex_server_cli.core.session.session import Session
from codex_server_cli.errors import ErrorKind

Json = dict[str, Any]

TURN_ID = "20261120-165501-482-7f3a"
THREAD, TURN = "thread-1", "turn-1"
READ_ONLY = {"type": "readOnly", "networkAccess": False}
SHARED = ServerTerms(is_shared=True, is_ours=True)
"""Our own shared app-server."""
LOST = TurnError(ErrorKind.NETWORK, "the connection was lost")
CRASH = TurnError(ErrorKind.CODEX_CRASHED, "codex went away")


def notification(method: str, **params: Any) -> Json:
    """A notification about our turn; `params` may say otherwise."""
    return {"method": method, "params": {"threadId": THREAD, "turnId": TURN, **params}}


def status_notification(type_: str) -> Json:
    """`thread/status/changed`, which is about the thread as a whole."""
    return {"method": "thread/status/changed", "params": {"threadId": THREAD, "status": {"type": type_}}}


def turn_notification(method: str, **turn: Any) -> Json:
    """`turn/started` or `turn/completed`."""
    return {"method": method, "params": {"threadId": THREAD, "turn": {"id": TURN, **turn}}}


def item_notification(method: str, type_: str, id_: str = "item-1", **item: Any) -> Json:
    """`item/started` or `item/completed`."""
    return notification(method, item={"type": type_, "id": id_, **item})


def message_started(id_: str = "msg-1", phase: str | None = "final_answer", text: str = "") -> Json:
    """An agent message begins."""
    return item_notification("item/started", "agentMessage", id_, phase=phase, text=text)


def delta(text: str, id_: str = "msg-1") -> Json:
    """A piece of an agent message."""
    return notification("item/agentMessage/delta", itemId=id_, delta=text)


def message_completed(text: str, id_: str = "msg-1", phase: str | None = "final_answer") -> Json:
    """An agent message is complete."""
    return item_notification("item/completed", "agentMessage", id_, phase=phase, text=text)


def said(text: str, id_: str = "msg-1", phase: str | None = "final_answer") -> list[Json]:
    """A whole message, one delta a word."""
    words = [f"{word} " for word in text.split(" ")]
    words[-1] = words[-1][:-1]
    return [message_started(id_, phase), *(delta(word, id_) for word in words), message_completed(text, id_, phase)]


def error_notification(message: str, *, will_retry: bool, info: Any = "other") -> Json:
    """`error`."""
    return notification("error", error={"message": message, "codexErrorInfo": info}, willRetry=will_retry)


def usage_notification(input_tokens: int = 100, output_tokens: int = 20, **more: Any) -> Json:
    """`thread/tokenUsage/updated`, sent after every model response."""
    total = input_tokens + output_tokens
    last = {"inputTokens": input_tokens, "outputTokens": output_tokens, "totalTokens": total}
    return notification("thread/tokenUsage/updated", tokenUsage={"last": last, "total": last}, **more)


STARTED = turn_notification("turn/started", status="inProgress")
COMPLETED = turn_notification("turn/completed", status="completed", error=None, items=[])
INTERRUPTED = turn_notification("turn/completed", status="interrupted", error=None, items=[])
RETRY = error_notification("Reconnecting... 1/2", will_retry=True, info={"responseStreamDisconnected": {}})


ASK_THREAD = {"id": 3, "method": "thread/start", "params": {}}
THREAD_REPLY = {"id": 3, "result": {"thread": {"id": THREAD}, "model": "gpt", "sandbox": {"type": "readOnly"}}}
ASK_TURN = {"id": 4, "method": "turn/start", "params": {"threadId": THREAD}}
TURN_REPLY = {"id": 4, "result": {"turn": {"id": TURN, "status": "inProgress"}}}


def requested() -> TurnRecord:
    """A turn that was requested, without its reply."""
    record = TurnRecord()
    record.feed_out(ASK_THREAD)
    record.feed_in(THREAD_REPLY)
    record.feed_out(ASK_TURN)
    return record


def running(*messages: Json) -> TurnRecord:
    """A turn that runs and got these messages."""
    record = requested()
    for message in (TURN_REPLY, STARTED, *messages):
        record.feed_in(message)
    return record


class Dialogue:
    """Drives one session with a simulated clock and keeps all its outputs.

    `opened()`, `replied()` and `started()` take the session to a stage; each can be called once.
    """

    def __init__(self, prompt: str = "hello", *, server: ServerTerms = OWN_SERVER, **request: Any) -> None:
        terms = {"turn_id": TURN_ID, "cwd": "/project", **request}
        self.session = Session(TurnRequest(**terms), prompt, "1.2.3", server)
        self.now_ms = 1_000_000.0
        self.sent: list[Json] = []
        self.text = ""
        self.events = b""
        self.replies: list[Reply] = []  # the replies to other shells
        self._answered: set[int] = set()
        self.denied: list[str] = []  # the notes to write about denied paths
        self.queued: list[tuple[Json, ...]] = []  # the notes to write about the thread's queue, each time
        self.server_starts: list[int] = []  # how much had been sent before each start of an app-server
        self.providers: list[str | None] = []  # the configuration of each app-server
        self._do(self.session.start(self.now_ms))

    # --- actions of the app-server

    def receive(self, *messages: Json | bytes) -> Dialogue:
        """Let these messages come, in one piece; bytes come as they are."""
        data = b"".join(message if isinstance(message, bytes) else encode(message) for message in messages)
        self._do(self.session.feed(data, self.now_ms))
        return self

    def reply(self, method: str, result: Json | None = None, error: Json | None = None) -> Dialogue:
        """Answer the last request of this method.

        Where a thread's opening has not been requested yet, the configuration and the requirements that it waits for
        are empty, unless a test sent some.
        """
        if method in THREAD_OPENERS:
            for look in ("config/read", "configRequirements/read"):
                if self._id_of(look) not in self._answered:
                    self.reply(look)
        self._answered.add(self._id_of(method))
        answer = {"error": error} if error is not None else {"result": result or {}}
        return self.receive({"id": self._id_of(method), **answer})

    def opened(self, account: Json | None = None, method: str = "thread/start", **thread: Any) -> Dialogue:
        """The handshake, to the reply that names the thread; `turn/start` is sent now."""
        self.reply("initialize", {"userAgent": "codex_server/0.169.0 (x)"})
        self.checked(account, {"model_provider": thread.get("modelProvider")})
        if method == "thread/resume":
            self.queue_empty()
        return self.reply(method, {"thread": {"id": THREAD}, "model": "gpt", "sandbox": READ_ONLY, **thread})

    def checked(
        self, account: Json | None = None, config: Json | None = None, requirements: Json | None = None
    ) -> Dialogue:
        """The checks before the turn: who is logged in, what the administrator requires, and Codex's effective
        configuration."""
        self.reply("account/read", account or {"account": None, "requiresOpenaiAuth": False})
        self.reply("configRequirements/read", {"requirements": requirements})
        return self.reply("config/read", {"config": config or {}})

    def queue_empty(self) -> Dialogue:
        """The queue of the thread that is to be resumed is empty."""
        return self.reply("thread/queue/list", {"data": []}).reply("thread/goal/get", {"goal": None})

    def replied(self, **request: Any) -> Dialogue:
        """The reply that names the turn."""
        return self.opened(**request).reply("turn/start", {"turn": {"id": TURN, "status": "inProgress"}})

    def started(self, **request: Any) -> Dialogue:
        """A turn that runs."""
        return self.replied(**request).receive(status_notification("active"), STARTED)

    def end(self, error: TurnError = CRASH, *, is_collision: bool = False) -> Dialogue:
        """Its stdout ends."""
        self._do(self.session.end(error, self.now_ms, is_collision=is_collision))
        return self

    def lose(self, error: TurnError = LOST, *, is_final: bool = False) -> Dialogue:
        """The connection to a shared app-server is lost."""
        self._answered |= {message["id"] for message in self.sent if "id" in message and "method" in message}
        self._do(self.session.lost(error, self.now_ms, is_final=is_final))
        return self

    def reconnected(self) -> Dialogue:
        """The connection is made again, to the request that looks for our turn."""
        for _ in range(2_000):
            if self._id_of("initialize") not in self._answered:
                break
            self.advance(10)
        return self.reply("initialize", {"userAgent": "codex_server/0.171.0 (x)"})

    # --- actions of the caller

    def serve(self, op: str, tag: str = "shell", **args: Any) -> Dialogue:
        """Send a request of another shell."""
        self.serve_request(read_shell_request(op, args, tag))
        return self

    def serve_request(self, asked: ShellRequest) -> None:
        """Send a request of another shell that was read already."""
        self._do(self.session.serve(asked, self.now_ms))

    def look_at_queue(self) -> Dialogue:
        """Codex's queues have changed on disk."""
        self._do(self.session.look_at_queue(self.now_ms))
        return self

    def stop(self, cause: Cause = Cause.CANCELLED) -> Dialogue:
        """Stop the session."""
        self._do(self.session.stop(cause, self.now_ms))
        return self

    def advance(self, duration_ms: float) -> Dialogue:
        """Let time pass, calling `tick` whenever the session asks for it."""
        until_ms = self.now_ms + duration_ms
        while not self.has_ended and (due_ms := self.session.wakeup_ms) is not None and due_ms <= until_ms:
            self.now_ms = max(self.now_ms, due_ms)
            self._do(self.session.tick(self.now_ms))
        self.now_ms = until_ms
        return self

    # --- results

    @property
    def outcome(self) -> Outcome:
        """How the turn ended; it must have."""
        outcome = self.session.outcome
        assert outcome is not None, "the turn has not ended"
        return outcome

    def outcome_after(self, *methods: str) -> Outcome:
        """How the turn ended, once these requests are answered."""
        for method in methods:
            self.reply(method)
        return self.outcome

    @property
    def kind(self) -> ErrorKind | None:
        """The error kind of the outcome."""
        return self.outcome.error.kind if self.outcome.error else None

    @property
    def has_ended(self) -> bool:
        """Whether there is an outcome."""
        return self.session.outcome is not None

    def requests(self, method: str) -> list[Json]:
        """The parameters of every request of this method that was sent."""
        return [message["params"] for message in self.sent if message.get("method") == method and "id" in message]

    def _id_of(self, method: str) -> int:
        """The id of the last request of this method."""
        return int([message["id"] for message in self.sent if message.get("method") == method][-1])

    def _do(self, step: Step) -> None:
        if step.starts_server:
            self.server_starts.append(len(self.sent))
            self.providers.append(step.provider)
        self.sent += [json.loads(line) for line in step.sends.split(b"\n") if line]
        self.text += step.text
        self.events += step.events
        self.replies += step.replies
        self.denied += step.denied
        if step.queued is not None:
            self.queued.append(step.queued)
