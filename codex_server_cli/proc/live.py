"""When `live.json` is rewritten, and with what. Owns the pace: at most 4 times a second."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.session import Session
from codex_server_cli.core.turn import Phase, format_time_ms
from codex_server_cli.disk.publish import TurnWriter

INTERVAL_MS = 250.0


class LiveFile:
    """Keep `live.json` close to the session. `due_ms` says when a held-back change must be written."""

    def __init__(self, writer: TurnWriter) -> None:
        self.due_ms: float | None = None
        self._writer = writer
        self._phase: Phase | None = None
        self._since_ms = 0.0
        self._written_seq = -1
        self._written_ms = 0.0

    def update(self, session: Session, now_ms: float) -> None:
        """Write what changed, now or when the pace allows."""
        phase, seq = session.record.phase, session.next_seq
        if phase is not self._phase:
            self._phase, self._since_ms = phase, now_ms
        if seq == self._written_seq:
            return
        if now_ms < self._written_ms + INTERVAL_MS:
            self.due_ms = self._written_ms + INTERVAL_MS
            return
        self._writer.write_live(self._content(session, now_ms))
        self._written_seq, self._written_ms, self.due_ms = seq, now_ms, None

    def _content(self, session: Session, now_ms: float) -> dict[str, Any]:
        record = session.record
        open_item = next(reversed(record.open_items.values()), None)
        return {
            "version": 1,
            "phase": str(self._phase),
            "since": format_time_ms(int(self._since_ms)),
            "seq": session.next_seq,
            "last_activity": format_time_ms(int(now_ms)),
            "open_item": {key: open_item.get(key) for key in ("type", "id", "command")} if open_item else None,
            "usage": record.usage,
            "pending": [],
        }
