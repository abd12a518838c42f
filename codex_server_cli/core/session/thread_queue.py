"""What Codex starts by itself on a thread: the messages in its queue, and a goal. Owns when a message is taken out.

Codex starts the first queued message once the thread is loaded, and whenever one of its turns is completed (one that
was interrupted starts none); a goal that is active likewise. Ours would then be merged into that turn, or end with its
app-server what belongs to somebody else. So nothing is resumed while something waits, and what is queued while our turn
runs is taken out, to be put back when our app-server is gone. A delete is the claim: of two, one is told `deleted`.
Where Codex was quicker, its turn begins behind ours, and is given the moment that it takes to tell what it is about.
Protocol facts: observed on 0.163.0 and 0.171.0.
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
"""What each request of a `QueueKeeper` bears."""

_MOMENT_MS = 1000.0
"""How long before our turn's end something may be found gone from the queue because Codex begins with it."""

_LAST_WORD_MS = 2000.0
"""How long Codex has after that to tell what it began with; it takes 0.1 s."""

_SUSPICION_MS = 100.0
"""How long it has where no more is known than that some thread's queue has changed."""

_CONFINED: Message = {"type": "readOnly", "networkAccess": False}


class QueueKeeper:
    """Takes out of the queue of our turn's thread what is put into it while the turn runs.

    Attributes:
        older_count: how many were listed while our turn ran: older than what Codex may begin with behind it, unseen.

    Args:
        has_policy: whether the turn runs under a policy of its own, once it has started.
    """

    def __init__(
        self, request: TurnRequest, outbox: Outbox, requests: Requests, has_policy: Callable[[], bool]
    ) -> None:
        self._listed: dict[str, Message] = {}  # by Codex's id, in the order of the queue
        self._missed: set[str] = set()  # those of them that were not ours to take
        self.older_count = 0
        self._request = request
        self._outbox = outbox
        self._requests = requests
        self._has_policy = has_policy
        self._unanswered = 0
        self._is_stale = False  # something changed after we had asked
        self._noted: tuple[str | None, bool] = (None, False)  # what is noted of a turn of Codex's own
        self._is_change_told = False  # by Codex, since it was asked; else the databases alone tell it
        self._own_change_ms = self._gone_ms = float("-inf")
        self._suspected_ms: float | None = None
        self._is_confined = False
        self._over_ms: float | None = None

    @property
    def entries(self) -> dict[str, Message]:
        """What was taken, or may have been, by Codex's id; the wire's `QueuedSubmission`s, oldest first."""
        return {id_: entry for id_, entry in self._listed.items() if id_ not in self._missed}

    @property
    def is_untouched(self) -> bool:
        """Whether it is certain that Codex took nothing, and that nothing is to be put back."""
        is_quiet = not (self._listed or self._unanswered or self._is_stale)
        return is_quiet and not self._may_have_begun and self._outbox.record.foreign.turn_id is None

    @property
    def awaited_until_ms(self) -> float | None:
        """Until when Codex has to tell what it began with right behind our turn; None where nobody waits for that.

        An app-server that is ended before leaves no word of that message. Behind a turn that was interrupted it begins
        with none.
        """
        record = self._outbox.record
        if self._over_ms is None or record.status != "completed":
            return None
        last_ms = self._over_ms + _LAST_WORD_MS
        if record.foreign.turn_id is not None:
            return last_ms if record.foreign.message is None else None
        if self._unanswered or self._is_stale or self._may_have_begun:
            return last_ms
        return min(last_ms, self._suspected_ms + _SUSPICION_MS) if self._suspected_ms is not None else None

    @property
    def _may_have_begun(self) -> bool:
        return self._over_ms is not None and self._gone_ms > self._over_ms - _MOMENT_MS

    @property
    def owed(self) -> tuple[Message, ...]:
        """What may have to be put back, oldest first: what was taken, and what Codex began with behind our turn."""
        foreign = self._outbox.record.foreign
        if foreign.turn_id is None:
            return tuple(self.entries.values())
        if foreign.message is None:
            return tuple(self._listed.values())  # it began with one of these, most likely
        id_, begun = foreign.message.get("clientId"), {"input": foreign.message.get("content")}
        client_ids = [entry.get("clientUserMessageId") for entry in self._listed.values()]
        place = client_ids.index(id_) if id_ in client_ids else self.older_count
        listed = [(entry, listed_id in self._missed) for listed_id, entry in self._listed.items()]
        before, behind = (
            [entry for entry, is_missed in part if not is_missed] for part in (listed[:place], listed[place:])
        )
        return (*before, {"clientUserMessageId": id_, **begun}, *behind)

    def hear(self, method: str, now_ms: float) -> None:
        """A notification about our turn or its thread."""
        if method == "turn/started" and not self._is_confined and not self._request.is_ephemeral:
            self._is_confined = True
            self._confine(now_ms)
            if self._is_stale:
                self.look(now_ms)
        elif method == CHANGED:
            self._is_change_told = now_ms > self._own_change_ms + _MOMENT_MS
            self.look(now_ms)

    def note_foreign(self) -> None:
        """Have noted what Codex began by itself, as soon as that is told, and what with: a worker may be killed."""
        foreign = self._outbox.record.foreign
        told = (foreign.turn_id, foreign.message is not None)
        if told != self._noted:
            self._noted = told
            self._outbox.keep(self.owed)

    def close(self, now_ms: float) -> None:
        """Our turn has its outcome. What is told afterwards, as long as the app-server lives, counts all the same."""
        self._over_ms = now_ms

    def _confine(self, now_ms: float) -> None:
        """Our turn has started: whatever else may start on its thread is to touch nothing.

        The turn that runs keeps its own policy. Who decides over approvals is left alone: what an MCP server may do is
        asked of the thread's settings at each call, also in a turn that runs. Where the turn runs under the user's own
        permission profile as it stands, the thread stays under it: a policy would lift what it lets be read at all.
        """
        if self._has_policy() and self._request.sandbox_policy() != _CONFINED:
            self._ask("thread/settings/update", {"sandboxPolicy": _CONFINED}, now_ms)

    def look(self, now_ms: float) -> None:
        """Somebody may have queued something, for a thread that has a queue."""
        if self._request.is_ephemeral:
            return
        self._is_stale = bool(self._unanswered) or not self._is_confined  # before it has started, it is too early
        if not self._is_stale:
            self._unanswered += 1
            self._ask(LIST, {}, now_ms)

    def answered(self, asked: SentRequest, response: Message, now_ms: float) -> bool:
        """A reply to any request, or word that none will come (an empty one); whether the request was ours."""
        if asked.tag == TAG and asked.method in (LIST, DELETE):
            self._go_on(asked, response, now_ms)
        return asked.tag == TAG

    def _go_on(self, asked: SentRequest, response: Message, now_ms: float) -> None:
        self._unanswered -= 1
        result = object_at(response, "result")
        if asked.method == LIST:
            self._on_list(objects_in(result.get("data")), now_ms)
        elif result.get("deleted") is True:
            self._own_change_ms = now_ms
        elif result.get("deleted") is False:
            # Codex was quicker, or whoever had queued it thought better of it: Codex's record tells which.
            self._missed.add(str(asked.params["queuedSubmissionId"]))
            self._gone_ms = now_ms
        if self._is_stale and not self._unanswered:
            self.look(now_ms)

    def _on_list(self, entries: list[Message], now_ms: float) -> None:
        if entries:
            self._take(entries, now_ms)
        elif self._is_change_told:
            self._gone_ms = now_ms
        else:
            self._suspected_ms = now_ms
        self._is_change_told = False

    def _take(self, entries: list[Message], now_ms: float) -> None:
        """Have new ones noted, then claim them."""
        new = {str(entry["id"]): entry for entry in entries if "id" in entry and str(entry["id"]) not in self._listed}
        if not new:
            return
        self._listed |= new
        if self._over_ms is None:
            self.older_count = len(self._listed)
        self._outbox.keep(tuple(self._listed.values()))
        self._unanswered += len(new)
        for id_ in new:
            self._ask(DELETE, {"queuedSubmissionId": id_}, now_ms)

    def _ask(self, method: str, params: Message, now_ms: float) -> None:
        self._requests.ask(method, {"threadId": self._outbox.record.thread_id, **params}, now_ms, TAG)
