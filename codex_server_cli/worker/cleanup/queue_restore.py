"""Putting back the messages taken out of the queue of a turn's thread. Owns when, and where the result is reported.

The worker does it after its app-server has ended, and before the end is published, so that the thread's next turn finds
the queue as it was; a repairer does it for a killed worker. What cannot be put back stays recorded (`queued.json`), and
`recover` retries. Needs the turn's lock.
"""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path
from typing import Any

from codex_server_cli import __version__
from codex_server_cli.codex.client import CodexClient
from codex_server_cli.core.model.server.record import is_foreign
from codex_server_cli.core.protocol.rpc import Message
from codex_server_cli.core.session.queue_restore import Debt, RestoredQueue, restore_queue
from codex_server_cli.core.session.queued_messages import NOT_PUT_BACK, RUN_BY_CODEX, put_back_words
from codex_server_cli.core.session.session import Session
from codex_server_cli.disk.files import write_json
from codex_server_cli.disk.turn.contents import append_log, meta_of
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.queue_debt import Noted, forget_debt, read_debt, write_debt
from codex_server_cli.disk.turn.writer import TurnWriter
from codex_server_cli.errors import CodexServerError
from codex_server_cli.settings.places import Settings
from codex_server_cli.worker.log import say

TIMEOUT_S = 15.0
"""For all requests to an app-server that has nothing loaded; they take 0.1 s."""


def note_debt(turn: TurnDir, meta: dict[str, Any], session: Session, entries: tuple[Message, ...]) -> None:
    """Record the messages that are about to be taken out of the queue.

    Raises:
        OSError: the directory cannot be written: nothing may be taken then.
    """
    write_debt(turn, _debt_of(meta, session, entries))


def _debt_of(meta: dict[str, Any], session: Session, entries: tuple[Message, ...]) -> Noted:
    record = session.record
    debt = Debt(str(record.thread_id), record.turn_id, record.foreign.turn_id, entries, session.queue.older_count)
    server = meta.get("server")
    return Noted(debt, str(meta["codex"]), record.codex.home, server if is_foreign(server) else None)


def restore_after_turn(turn: TurnDir, meta: dict[str, Any], session: Session, writer: TurnWriter) -> None:
    """Put back all messages that were queued during the turn, after its app-server has ended.

    Does nothing where nothing was queued. The result is recorded in `out.txt`, `meta.json` and `worker.log`.
    """
    record, queue = session.record, session.queue
    if queue.is_untouched or record.thread_id is None or (record.turn_id or record.foreign.turn_id) is None:
        return
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # the orphan reaper does not know the child spawned next
    noted = _debt_of(meta, session, queue.owed)
    with contextlib.suppress(OSError):  # deleted, or a full disk: the messages in memory are put back anyway
        write_debt(turn, noted)
    restored = _restore(noted, TIMEOUT_S)
    text = result_text(restored, turn.turn_id)
    with contextlib.suppress(OSError):  # as above: they are put back, even if that cannot be reported
        if restored.refusal is None:
            forget_debt(turn)
        if restored.put_back or restored.refusal is not None:
            meta["put_back"] = len(restored.put_back)
        if text:
            say(f"queued messages: {text}")
            writer.append_text(f"\n[{text}]\n")


def _restore(noted: Noted, timeout_s: float) -> RestoredQueue:
    try:
        with _client_of(noted) as client:
            return client.run(restore_queue(noted.debt, __version__), timeout_s)
    except CodexServerError as error:  # no codex, no answer, no process: must not fail the turn
        return RestoredQueue(refusal=error.message)


def _client_of(noted: Noted) -> CodexClient:
    if noted.server is None:
        return CodexClient.spawn(Path(noted.codex), Path("/"), codex_home=noted.codex_home)
    from codex_server_cli.worker.server.client import client_to

    return client_to(noted.server, Settings.load())


def restore_later(turn: TurnDir, timeout_s: float = TIMEOUT_S, codex: Path | None = None) -> str:
    """The same for a worker that was killed or failed to do it; recorded in `meta.json` and `worker.log`.

    Args:
        codex: the binary to use; None means the turn's, which an upgrade may have removed since.

    Returns:
        The result as text for people; empty where there was nothing to do.

    Raises:
        OSError: the directory cannot be written.
    """
    noted = read_debt(turn)
    if noted is None:
        return ""
    restored = _restore(noted if codex is None else noted._replace(codex=str(codex)), timeout_s)
    if restored.refusal is None:
        forget_debt(turn)
    text = result_text(restored, turn.turn_id)
    if not text:
        return ""
    if restored.put_back or restored.refusal is not None:
        meta = meta_of(turn)
        write_json(turn.meta, meta | {"put_back": int(meta.get("put_back") or 0) + len(restored.put_back)})
    append_log(turn, f"queued messages: {text}")
    return text


def result_text(restored: RestoredQueue, turn_id: str) -> str:
    """The result as text for people; empty where there was nothing to do."""
    texts = ", ".join(restored.put_back)
    text = [f"{put_back_words(len(restored.put_back))}: {texts}"] if texts else []
    if restored.interrupted:
        text.append("Codex had begun with it, and was interrupted")
    if restored.answered:
        text.append(f"{RUN_BY_CODEX}: {', '.join(restored.answered)}")
    if restored.refusal is not None:
        text.append(
            f"{NOT_PUT_BACK} ({restored.refusal}); it is kept in queued.json, and "
            f"`codex-server recover {turn_id}` tries again"
        )
    return "; ".join(text)
