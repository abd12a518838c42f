"""Pending requests to one app-server. Owns request ids, timeouts, and retries.

A refusal because Codex is too busy (-32001, notes, section 1) had no effect, so the request is retried with backoff; so
is the opening of a thread that another process has open for a moment. A request without a reply is never retried. Must
never decide what to request, or what a reply means (`session`).
"""

from __future__ import annotations

from typing import NamedTuple

from codex_server_cli.core.model.timers import LIMIT_MS, Timer, Timers
from codex_server_cli.core.protocol import rpc
from codex_server_cli.core.protocol.rpc import Message
from codex_server_cli.core.record.turn_record import THREAD_OPENERS, TURN_STARTERS
from codex_server_cli.core.result.failures import kind_of_refusal
from codex_server_cli.core.session.backoff import Backoff, is_store_collision
from codex_server_cli.core.session.outbox import Outbox
from codex_server_cli.core.session.queued_messages import GOAL, LIST
from codex_server_cli.errors import ErrorKind

_AFTER_STARTUP = THREAD_OPENERS | TURN_STARTERS | {"thread/settings/update"}
"""What Codex replies to only once its required tool servers have started, or failed to."""

_QUERIES = frozenset(
    {
        *("initialize", "account/read", "config/read", "configRequirements/read", "getAuthStatus"),
        *("thread/queue/list", "thread/goal/get"),
    }
)
_SENT_AGAIN = _AFTER_STARTUP | _QUERIES

_TOLERATED = frozenset(
    {"account/read", "getAuthStatus", LIST, GOAL, "turn/interrupt", "thread/turns/list", "turn/steer"}
)
"""Requests whose refusal does not end the turn; without `config/read` it is unknown what is denied (`permissions`)."""
_WHERE_UNKNOWN = frozenset({"configRequirements/read"})
"""The same where Codex does not know the request; if it does, the content it refused may forbid the turn."""
_WRITER_TRIES = 4
"""How often opening a thread with another writer is retried: for 1.3 s at most, shorter than any turn."""


def is_tolerated(method: str, error: Message) -> bool:
    """Whether the refusal of a request does not end the turn."""
    is_unknown = error.get("code") == rpc.UNSUPPORTED or kind_of_refusal(error) is ErrorKind.PROTOCOL
    return method in _TOLERATED or (method in _WHERE_UNKNOWN and is_unknown)


class SentRequest(NamedTuple):
    """One request, as it was sent last.

    Attributes:
        backoff: counts its refusals; exhausted where it will not be retried.
        tag: the caller's id of it.
    """

    method: str
    params: Message
    backoff: Backoff
    sent_ms: float
    tag: str = ""


class Requests:
    """Sends requests through an outbox, and sets the timers `REQUEST` (timeout) and `AGAIN` (retry) for them."""

    def __init__(self, outbox: Outbox, timers: Timers, seed: str) -> None:
        self._outbox = outbox
        self._timers = timers
        self._seed = seed
        self._next_id = 1
        self._awaited: dict[int, SentRequest] = {}  # by id, oldest first
        self._retries: list[tuple[float, SentRequest]] = []  # when to retry, and what
        self._startup_ms = 0.0

    @property
    def silence_allowed_until_ms(self) -> float:
        """Until when an app-server may be silent, because a reply may take as long."""
        return max(map(self._due_ms, self._awaited.values()), default=0.0)

    def allow_startup(self, startup_ms: float) -> None:
        """Extend the timeout of what Codex replies to only once its tool servers have started."""
        self._startup_ms = startup_ms
        self._set_timers()

    def ask(self, method: str, params: Message, now_ms: float, tag: str = "") -> None:
        """Send a request; `answered` matches its reply."""
        self._send(SentRequest(method, params, Backoff(f"{self._seed} {method}"), now_ms, tag))

    def answered(self, response: Message, now_ms: float) -> SentRequest | None:
        """The request of this reply; None for a second or unknown reply, and where the request is retried."""
        asked = self._awaited.pop(response.get("id"), None)  # type: ignore[arg-type]
        self._set_timers()
        if asked is None or asked.method not in _SENT_AGAIN or not _is_transient(response, asked.backoff.failures):
            return asked
        delay_ms = asked.backoff.delay_ms(now_ms)
        if delay_ms is None:
            return asked
        self._retries.append((now_ms + delay_ms, asked))
        self._set_timers()
        return None

    def send_due_retries(self, now_ms: float) -> None:
        """Send the retries that are due."""
        due = [asked for due_ms, asked in self._retries if due_ms <= now_ms]
        self._retries = [(due_ms, asked) for due_ms, asked in self._retries if due_ms > now_ms]
        for asked in due:
            self._send(asked._replace(sent_ms=now_ms))
        self._set_timers()

    def cancel_retries(self, methods: frozenset[str]) -> bool:
        """Cancel pending retries; whether there were any."""
        kept = [(due_ms, asked) for due_ms, asked in self._retries if asked.method not in methods]
        is_taken_back = len(kept) < len(self._retries)
        self._retries = kept
        self._set_timers()
        return is_taken_back

    def drop_overdue(self, now_ms: float) -> list[SentRequest]:
        """Drop and return the requests whose timeout has passed."""
        overdue = {id_: asked for id_, asked in self._awaited.items() if self._due_ms(asked) <= now_ms}
        for id_ in overdue:
            del self._awaited[id_]
        self._set_timers()
        return list(overdue.values())

    def forget(self) -> None:
        """Drop all requests: no reply will come."""
        self._awaited, self._retries = {}, []
        self._set_timers()

    def _send(self, asked: SentRequest) -> None:
        self._awaited[self._next_id] = asked
        self._outbox.send(rpc.request(self._next_id, asked.method, asked.params), asked.sent_ms)
        self._next_id += 1
        self._set_timers()

    def _due_ms(self, asked: SentRequest) -> float:
        return asked.sent_ms + LIMIT_MS[Timer.REQUEST] + (self._startup_ms if asked.method in _AFTER_STARTUP else 0.0)

    def _set_timers(self) -> None:
        for timer, due_ms in (
            (Timer.REQUEST, [self._due_ms(asked) for asked in self._awaited.values()]),
            (Timer.AGAIN, [due_ms for due_ms, _ in self._retries]),
        ):
            if due_ms:
                self._timers.set(timer, min(due_ms))
            else:
                self._timers.clear(timer)


def _is_transient(response: Message, failures: int) -> bool:
    """Whether the same request may be accepted in a moment."""
    error = response.get("error")
    if not isinstance(error, dict):
        return False
    if error.get("code") == rpc.OVERLOADED or is_store_collision(str(error.get("message"))):
        return True
    # A probe of Codex's lock of a thread holds it for an instant, and a killed codex lives that long.
    return failures < _WRITER_TRIES and kind_of_refusal(error) is ErrorKind.THREAD_BUSY
