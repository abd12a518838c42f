"""Pending requests to one app-server. Owns request ids, timeouts, and retries.

A refusal because Codex is too busy (-32001, notes, section 1) had no effect, so the request is retried with backoff; so
is the opening of a thread that another process briefly has open, or our own shared app-server for a second after its
last turn. A request without a reply is never retried. Must never decide what to request, or what a reply means
(`session` does).
"""

from __future__ import annotations

from typing import NamedTuple

from codex_server_cli.core.model.timers import LIMIT_MS, Timer, Timers
from codex_server_cli.core.protocol import rpc
from codex_server_cli.core.protocol.rpc import Message
from codex_server_cli.core.record.turn_record import THREAD_OPENERS, TURN_STARTERS
from codex_server_cli.core.result.failures import kind_of_refusal
from codex_server_cli.core.session.backoff import COLLISION, OVERLOAD, Backoff, Pace, is_store_collision
from codex_server_cli.core.session.outbox import Outbox
from codex_server_cli.core.session.queued_messages import GOAL, LIST
from codex_server_cli.errors import ErrorKind

_AFTER_STARTUP = THREAD_OPENERS | TURN_STARTERS | {"thread/settings/update"}
"""Requests to which Codex replies only once its required tool servers have started, or failed to."""

_QUERIES = frozenset(
    {
        *("initialize", "account/read", "config/read", "configRequirements/read", "getAuthStatus"),
        *("thread/queue/list", "thread/goal/get"),
    }
)
_SENT_AGAIN = _AFTER_STARTUP | _QUERIES
_REPEATED = frozenset({"turn/interrupt"})
"""Requests that are repeated after a refusal anyway."""

_TOLERATED = frozenset(
    {"account/read", "getAuthStatus", LIST, GOAL, "turn/interrupt", "thread/turns/list", "turn/steer"}
)
"""Requests whose refusal does not end the turn; without `config/read` it is unknown what is denied (`permissions`)."""
_WHERE_UNKNOWN = frozenset({"configRequirements/read"})
"""The same if Codex does not know the request; otherwise the refused content may forbid the turn."""
_WRITER_MS = 2_000.0
"""How long opening a thread with another writer is retried: a shared app-server keeps it for 1.1 s after a turn."""


def is_tolerated(method: str, error: Message) -> bool:
    """Whether the refusal of a request does not end the turn."""
    is_unknown = error.get("code") == rpc.UNSUPPORTED or kind_of_refusal(error) is ErrorKind.PROTOCOL
    return method in _TOLERATED or (method in _WHERE_UNKNOWN and is_unknown)


class SentRequest(NamedTuple):
    """One request, as last sent.

    Attributes:
        backoff: counts its refusals; exhausted if it will not be retried.
        tag: the caller's id of it.
        why: the reason that is recorded with it, see `EventLog.line_out`.
    """

    method: str
    params: Message
    backoff: Backoff
    sent_ms: float
    tag: str = ""
    why: str | None = None


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
        """Until when an app-server may be silent, because a reply may take that long."""
        return max(map(self._due_ms, self._awaited.values()), default=0.0)

    def allow_startup(self, startup_ms: float) -> None:
        """Extend the timeout of requests to which Codex replies only once its tool servers have started."""
        self._startup_ms = startup_ms
        self._set_timers()

    def ask(self, method: str, params: Message, now_ms: float, tag: str = "", why: str | None = None) -> None:
        """Send a request; `answered` matches its reply."""
        self._send(SentRequest(method, params, Backoff(f"{self._seed} {method}"), now_ms, tag, why))

    def answered(self, response: Message, now_ms: float) -> SentRequest | None:
        """The request of this reply; None for a second or unknown reply, and if the request is retried."""
        asked = self._awaited.pop(response.get("id"), None)  # type: ignore[arg-type]
        self._set_timers()
        pace = _pace_of_retry(asked, response, now_ms) if asked is not None else None
        if asked is None or pace is None:
            return asked
        delay_ms = asked.backoff.delay_ms(now_ms, pace)
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
        """Cancel pending retries; returns whether there were any."""
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

    def forget(self) -> list[SentRequest]:
        """Drop and return all requests: no reply will come."""
        dropped = [*self._awaited.values(), *(asked for _, asked in self._retries)]
        self._awaited, self._retries = {}, []
        self._set_timers()
        return dropped

    def _send(self, asked: SentRequest) -> None:
        self._awaited[self._next_id] = asked
        self._outbox.send(rpc.request(self._next_id, asked.method, asked.params), asked.sent_ms, asked.why)
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


def _pace_of_retry(asked: SentRequest, response: Message, now_ms: float) -> Pace | None:
    """How to retry a request that may soon be accepted; None if it must not be retried."""
    error = response.get("error")
    if not isinstance(error, dict):
        return None
    if error.get("code") == rpc.OVERLOADED:
        return OVERLOAD if asked.method not in _REPEATED else None
    if asked.method not in _SENT_AGAIN:
        return None
    # A probe of Codex's thread lock holds it briefly, and so does a killed codex; a server unloads a thread a second
    # after its last turn, and refuses it at that moment.
    is_written = kind_of_refusal(error) is ErrorKind.THREAD_BUSY and asked.backoff.waited_ms(now_ms) < _WRITER_MS
    return COLLISION if is_written or is_store_collision(str(error.get("message"))) else None
