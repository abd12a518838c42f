"""What Codex starts by itself on a thread: the messages in its queue, and a goal. Owns when a message is taken out.

Codex starts the first queued message once the thread is loaded, and whenever one of its turns is completed (not when
one is interrupted); an active goal likewise. Ours would then be merged into that turn, or its app-server would end with
another client's turn. So a thread with something queued is not resumed, and messages queued while our turn runs are
taken out, and restored after our app-server has ended. A delete is the claim: of two, one gets `deleted`. If Codex was
faster, its turn begins after ours, and we wait until it has reported its message. Protocol facts: observed on 0.163.0
and 0.171.0.
"""

from __future__ import annotations

from collections.abc import Callable

from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.protocol.rpc import Message, object_at, objects_in
from codex_server_cli.core.session.outbox import Outbox
from codex_server_cli.core.session.queued_messages import LIST
from codex_server_cli.core.session.requests import Requests, SentRequest

DELETE, CHANGED = "thread/queue/delete", "thread/queue/changed"
TAG = "queue"
"""The tag of each request of a `QueueKeeper`."""

_MOMENT_MS = 1000.0
"""How long before our turn's end a message may leave the queue because Codex begins with it."""

_FOREIGN_REPORT_MS = 2000.0
"""How long to wait after that for Codex to report what it began with; it takes 0.1 s."""

_UNEXPLAINED_MS = 100.0
"""The same if it is only known that some thread's queue has changed."""

_CONFINED: Message = {"type": "readOnly", "networkAccess": False}


class QueueKeeper:
    """Takes out messages that are added to the thread's queue while our turn runs.

    Attributes:
        is_disconnected: the connection was lost: no request can be sent now.
        older_count: how many were listed while our turn ran: older than an unseen one that Codex may begin after it.

    Args:
        has_policy: whether the turn runs under its own policy, once it has started.
    """

    def __init__(
        self, request: TurnRequest, outbox: Outbox, requests: Requests, has_policy: Callable[[], bool]
    ) -> None:
        self._listed: dict[str, Message] = {}  # by Codex's id, in the order of the queue
        self._missed: set[str] = set()  # the listed ones whose delete came too late
        self.older_count, self.is_disconnected = 0, False
        self._request = request
        self._outbox = outbox
        self._requests = requests
        self._has_policy = has_policy
        self._unanswered = 0
        self._is_stale = False  # something changed after the last request
        self._recorded_foreign: tuple[str | None, bool] = (None, False)  # its id, is its message known
        self._is_change_notified = False  # by Codex, since the last list; else only its databases showed it
        self._own_change_ms = self._gone_ms = float("-inf")
        self._unexplained_ms: float | None = None
        self._is_confined = False
        self._ended_ms: float | None = None

    @property
    def entries(self) -> dict[str, Message]:
        """The messages that we took, or may have, by Codex's id; the wire's `QueuedSubmission`s, oldest first."""
        return {id_: entry for id_, entry in self._listed.items() if id_ not in self._missed}

    @property
    def is_untouched(self) -> bool:
        """Whether Codex certainly took nothing, and nothing must be restored."""
        is_quiet = not (self._listed or self._unanswered or self._is_stale)
        return is_quiet and not self._may_have_begun and self._outbox.record.foreign.turn_id is None

    @property
    def awaited_until_ms(self) -> float | None:
        """Until when to wait for Codex to report what it began right after our turn; None for no wait.

        An app-server that is ended earlier leaves no trace of that message. It begins none after an interrupted turn.
        """
        record = self._outbox.record
        if self._ended_ms is None or record.status != "completed":
            return None
        last_ms = self._ended_ms + _FOREIGN_REPORT_MS
        if record.foreign.turn_id is not None:
            return last_ms if record.foreign.message is None else None
        if self._unanswered or self._is_stale or self._may_have_begun:
            return last_ms
        return min(last_ms, self._unexplained_ms + _UNEXPLAINED_MS) if self._unexplained_ms is not None else None

    @property
    def _may_have_begun(self) -> bool:
        return self._ended_ms is not None and self._gone_ms > self._ended_ms - _MOMENT_MS

    @property
    def owed(self) -> tuple[Message, ...]:
        """What may have to be restored, oldest first: what we took, and what Codex began with after our turn."""
        foreign = self._outbox.record.foreign
        if foreign.turn_id is None:
            return tuple(self.entries.values())
        if foreign.message is None:
            return tuple(self._listed.values())  # most likely it began with one of these
        id_, begun = foreign.message.get("clientId"), {"input": foreign.message.get("content")}
        client_ids = [entry.get("clientUserMessageId") for entry in self._listed.values()]
        place = client_ids.index(id_) if id_ in client_ids else self.older_count
        listed = [(entry, listed_id in self._missed) for listed_id, entry in self._listed.items()]
        before, after = (
            [entry for entry, is_missed in part if not is_missed] for part in (listed[:place], listed[place:])
        )
        return (*before, {"clientUserMessageId": id_, **begun}, *after)

    def on_notification(self, method: str, now_ms: float) -> None:
        """Handle a notification about our turn or its thread."""
        if method == "turn/started" and not self._is_confined and not self._request.is_ephemeral:
            self._is_confined = True
            self._confine(now_ms)
            if self._is_stale:
                self.check(now_ms)
        elif method == CHANGED:
            self._is_change_notified = now_ms > self._own_change_ms + _MOMENT_MS
            self.check(now_ms)

    def lose(self) -> None:
        """The connection was lost: no reply will come, and messages queued meanwhile are unknown."""
        self._unanswered = 0

    def regain(self, now_ms: float) -> None:
        """Our turn was found over a new connection."""
        self.check(now_ms)

    def record_foreign(self) -> None:
        """Record what Codex began by itself, and its message, as soon as known: a worker may be killed."""
        foreign = self._outbox.record.foreign
        known = (foreign.turn_id, foreign.message is not None)
        if known != self._recorded_foreign:
            self._recorded_foreign = known
            self._outbox.record_queued(self.owed)

    def close(self, now_ms: float) -> None:
        """Our turn has its outcome. Later messages of the app-server still count until it ends."""
        self._ended_ms = now_ms

    def _confine(self, now_ms: float) -> None:
        """Our turn has started: make anything else that starts on its thread read-only.

        The running turn keeps its own policy. The reviewer of approvals is unchanged: Codex reads the rights of an MCP
        server from the thread's settings at each call, also in a running turn. If the turn runs under the user's own
        unmodified permission profile, the thread keeps it: a policy would lift its limits on reading.
        """
        if self._has_policy() and self._request.sandbox_policy() != _CONFINED:
            self._ask("thread/settings/update", {"sandboxPolicy": _CONFINED}, now_ms)

    def check(self, now_ms: float) -> None:
        """Read the queue, if the thread has one: something may have been added."""
        if self._request.is_ephemeral:
            return
        # Too early before the turn has started; impossible without a connection.
        self._is_stale = bool(self._unanswered) or not self._is_confined or self.is_disconnected
        if not self._is_stale:
            self._unanswered += 1
            self._ask(LIST, {}, now_ms)

    def answered(self, asked: SentRequest, response: Message, now_ms: float) -> bool:
        """Handle a reply to any request, or its timeout (an empty one); returns whether the request was ours."""
        if asked.tag == TAG and asked.method in (LIST, DELETE):
            self._on_reply(asked, response, now_ms)
        return asked.tag == TAG

    def _on_reply(self, asked: SentRequest, response: Message, now_ms: float) -> None:
        self._unanswered -= 1
        result = object_at(response, "result")
        if asked.method == LIST:
            self._on_list(objects_in(result.get("data")), now_ms)
        elif result.get("deleted") is True:
            self._own_change_ms = now_ms
        elif result.get("deleted") is False:
            # Codex was faster, or the message was withdrawn: Codex's record shows which.
            self._missed.add(str(asked.params["queuedSubmissionId"]))
            self._gone_ms = now_ms
        if self._is_stale and not self._unanswered:
            self.check(now_ms)

    def _on_list(self, entries: list[Message], now_ms: float) -> None:
        if entries:
            self._take(entries, now_ms)
        elif self._is_change_notified:
            self._gone_ms = now_ms
        else:
            self._unexplained_ms = now_ms
        self._is_change_notified = False

    def _take(self, entries: list[Message], now_ms: float) -> None:
        """Record new entries, then claim them."""
        new = {str(entry["id"]): entry for entry in entries if "id" in entry and str(entry["id"]) not in self._listed}
        if not new:
            return
        self._listed |= new
        if self._ended_ms is None:
            self.older_count = len(self._listed)
        self._outbox.record_queued(tuple(self._listed.values()))
        self._unanswered += len(new)
        for id_ in new:
            self._ask(DELETE, {"queuedSubmissionId": id_}, now_ms)

    def _ask(self, method: str, params: Message, now_ms: float) -> None:
        self._requests.ask(method, {"threadId": self._outbox.record.thread_id, **params}, now_ms, TAG)
