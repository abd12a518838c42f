"""Rewriting `live.json`. Owns the rate: at most 4 times a second, but approvals at once.

A request that waits for a person must be in `pending.json` and `live.json` before the journal reports it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from codex_server_cli.core.model.turn import Phase, format_time_ms
from codex_server_cli.core.record.approval_request import ApprovalRequest
from codex_server_cli.core.session.session import Session
from codex_server_cli.disk.files import write_json
from codex_server_cli.disk.journal.turn_journal import TurnJournal
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.writer import TurnWriter
from codex_server_cli.worker.notify import Notifier

if TYPE_CHECKING:
    from codex_server_cli.core.record.turn_record import TurnRecord

INTERVAL_MS = 250.0
_PENDING_KEYS = ("id", "kind", "message", "answer_with", "expires_at")


class LiveFile:
    """Keeps `live.json` and the journal up to date with the session. `due_ms` is when a delayed write is due.

    Args:
        cwd: the turn's directory; names of changed files are relative to it.
    """

    def __init__(self, writer: TurnWriter, journal: TurnJournal, notifier: Notifier, cwd: str) -> None:
        self.due_ms: float | None = None
        self._writer = writer
        self._journal = journal
        self._notifier = notifier
        self._cwd = cwd
        self._phase: Phase | None = None
        self._pending: tuple[ApprovalRequest, ...] = ()
        self._since_ms = 0.0
        self._written_seq = -1
        self._written_ms = 0.0

    def update(self, session: Session, now_ms: float) -> None:
        """Write what changed, now or when the rate limit allows; requests that wait for a person at once."""
        phase, pending = session.phase, session.approvals.pending
        if phase is not self._phase:
            self._phase, self._since_ms = phase, now_ms
        if pending is not self._pending:
            known = {request.id for request in self._pending}
            self._pending = pending
            with contextlib.suppress(OSError):  # a full disk, as below
                self._writer.write_pending([request.to_json() for request in pending])
            self._write(session, now_ms)
            for request in pending:
                if request.id not in known:
                    self._journal.attention(phase, request.id, request.message)
                    self._notifier.attention(request.id)
        self._journal.phase(phase)
        if session.next_seq != self._written_seq:
            self.due_ms = self._written_ms + INTERVAL_MS
            if now_ms >= self.due_ms:
                self._write(session, now_ms)

    def _write(self, session: Session, now_ms: float) -> None:
        self._written_seq, self._written_ms, self.due_ms = session.next_seq, now_ms, None
        with contextlib.suppress(OSError):  # a full disk: the turn goes on as long as its event log can be written
            self._writer.write_live(self._content(session, now_ms))

    def _content(self, session: Session, now_ms: float) -> dict[str, Any]:
        record = session.record
        open_item = next(reversed(record.open_items.values()), None)
        content = _content(str(self._phase), int(self._since_ms), session.next_seq, int(now_ms))
        if open_item is not None:
            content["open_item"] = {key: open_item.get(key) for key in ("type", "id", "command")}
        pending = [
            {key: entry[key] for key in _PENDING_KEYS}
            for entry in (request.to_json() for request in session.approvals.pending)
        ]
        facts = {"usage": record.usage, "refused": record.refusals.to_json(), "changes": self._changes_of(record)}
        return content | facts | {"pending": pending}

    def _changes_of(self, record: TurnRecord) -> list[dict[str, Any]]:
        try:
            return record.changes.listed(self._cwd)
        except Exception:  # a diff that we cannot read must not end the turn
            return []


def write_queued(directory: TurnDir, now_ms: int, held_until_s: float | None = None) -> None:
    """Write the `live.json` of a queued turn.

    Args:
        held_until_s: when the usage limit that it waits for resets, in Unix seconds; 0 or None where it waits for none.
    """
    resets_at = {"resets_at": format_time_ms(int(held_until_s * 1000))} if held_until_s else {}
    with contextlib.suppress(OSError):  # a full disk: the turn can wait without this file
        write_json(directory.live, _content(str(Phase.QUEUED), now_ms, 0, now_ms) | resets_at)


def write_starting(directory: TurnDir, now_ms: int) -> None:
    """Write the `live.json` of a turn that is no longer queued, and has no codex yet."""
    with contextlib.suppress(OSError):  # as above
        write_json(directory.live, _content(str(Phase.STARTING), now_ms, 0, now_ms))


def _content(phase: str, since_ms: int, seq: int, now_ms: int) -> dict[str, Any]:
    return {
        "version": 1,
        "phase": phase,
        "since": format_time_ms(since_ms),
        "seq": seq,
        "last_activity": format_time_ms(now_ms),
        "open_item": None,
        "usage": None,
        "refused": [],
        "pending": [],
    }
