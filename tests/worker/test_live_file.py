"""When `live.json` and `pending.json` are rewritten: paced, but at once for a request, and before the journal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codex_server_cli.core.model.request import Approval
from codex_server_cli.disk.files import read_json
from codex_server_cli.disk.journal import journal
from codex_server_cli.disk.journal.turn_journal import TurnJournal
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.writer import TurnWriter
from codex_server_cli.settings.places import Settings
from codex_server_cli.worker import live_file
from codex_server_cli.worker.live_file import LiveFile
from codex_server_cli.worker.notify import Notifier
from tests.kit.dialogue import THREAD, TURN, Dialogue
from tests.kit.turns_on_disk import TurnsOnDisk

NOW_MS = 1795193701482.0


class Remembering(Notifier):
    """A notifier that runs no command."""

    def __init__(self, turn_path: Path, command: str | None) -> None:
        super().__init__(turn_path, command)
        self.requests: list[str] = []

    def attention(self, request_id: str) -> None:
        self.requests.append(request_id)


def asked(id_: int) -> dict[str, Any]:
    params = {"threadId": THREAD, "turnId": TURN, "itemId": "i", "command": f"touch f{id_}", "cwd": "/p"}
    return {"method": "item/commandExecution/requestApproval", "id": id_, "params": params}


@pytest.fixture
def turns(settings: Settings) -> Iterator[TurnsOnDisk]:
    with TurnsOnDisk(settings.turns_path) as turns:
        yield turns


@pytest.fixture
def turn(turns: TurnsOnDisk) -> TurnDir:
    return turns.running()


@pytest.fixture
def writer(turns: TurnsOnDisk, turn: TurnDir) -> Iterator[TurnWriter]:
    writer = TurnWriter(turn, turns.lock_fd(turn.turn_id))
    yield writer
    writer.close()


@pytest.fixture
def settings(tmp_path: Any) -> Settings:
    return Settings(tmp_path / "home", tmp_path, tmp_path, "", None)


def test_what_waits_is_written_at_once_and_told_afterwards(turn: TurnDir, writer: TurnWriter) -> None:
    talk = Dialogue(approval=Approval.ASK).started()
    notifier = Remembering(turn.path, None)
    file = LiveFile(writer, TurnJournal(turn.path), notifier, "/")
    file.update(talk.session, NOW_MS)
    talk.receive(asked(0), asked(1))
    file.update(talk.session, NOW_MS + 1)
    reported = read_json(turn.live) or {}
    assert (reported["phase"], [each["id"] for each in reported["pending"]]) == ("waiting_approval", ["0", "1"])
    assert file.due_ms is None
    assert [each["command"] for each in (read_json(turn.pending) or {})["pending"]] == ["touch f0", "touch f1"]
    talk.serve("approve", request="0")
    file.update(talk.session, NOW_MS + 2)
    assert [each["id"] for each in (read_json(turn.live) or {})["pending"]] == ["1"]
    lines = [(entry["event"], entry.get("request")) for _, entry in journal.read(turn.path.parents[1])]
    assert lines == [("phase", None), ("attention", "0"), ("attention", "1")]
    assert notifier.requests == ["0", "1"]


def test_what_else_changes_is_held_back(turn: TurnDir, writer: TurnWriter) -> None:
    talk = Dialogue().started()
    file = LiveFile(writer, TurnJournal(turn.path), Notifier(turn.path, None), "/")
    file.update(talk.session, NOW_MS)
    seq = (read_json(turn.live) or {})["seq"]
    file.update(talk.session, NOW_MS + 1)
    talk.receive({"method": "warning", "params": {"threadId": THREAD, "message": "m"}})
    file.update(talk.session, NOW_MS + 2)
    assert file.due_ms == NOW_MS + live_file.INTERVAL_MS
    assert (read_json(turn.live) or {})["seq"] == seq
    file.update(talk.session, NOW_MS + live_file.INTERVAL_MS)
    assert (read_json(turn.live) or {})["seq"] == seq + 1
    assert not turn.pending.exists()
