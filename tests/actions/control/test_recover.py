"""`recover` next to a running session: who holds the turn, what was interrupted, and a home that cannot be written."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from codex_server_cli.actions.control import recover as action
from codex_server_cli.actions.control.recover import recover
from codex_server_cli.core.history.stored_turn import Recovery
from codex_server_cli.core.history.stored_turn_query import StoredTurn
from codex_server_cli.core.model.turn import Marker, State
from codex_server_cli.core.result.outcome import Outcome
from codex_server_cli.disk.files import read_json, write_json
from codex_server_cli.disk.turn import recovery
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import BusyError, CodexMissingError, ErrorKind, Exit, HomeError, NotFoundError
from codex_server_cli.settings.places import Settings
from tests.fakes import codex as fake
from tests.kit.turns_on_disk import ANSWER, CUT_TURN, TurnsOnDisk

FIXTURES = Path(__file__).parents[2] / "fixtures" / "rollouts"
THREAD, TURN = "01a1fa42-70a0-7dc1-bf9c-9e23c6d6d703", "01a1fa42-70ae-7603-aa07-4a12c4cdc519"
SESSION_ANSWER = "Done: ünïcode"


@pytest.fixture(autouse=True)
def no_codex(settings: Settings) -> None:
    """A codex that exits at once: only the session file has the answer."""
    codex = fake.write(settings.home / "codex", "exits")
    write_json(settings.config_path, {"codex": str(codex)})


@pytest.fixture
def session(settings: Settings) -> Path:
    """The session file of the thread."""
    path = settings.codex_home / "sessions" / "2026" / "11" / "20" / f"rollout-2026-11-20T16-57-41-{THREAD}.jsonl"
    path.parent.mkdir(parents=True)
    shutil.copy(FIXTURES / "changes-0.169.0.jsonl", path)
    return path


def crashed(turns: TurnsOnDisk) -> TurnDir:
    return turns.failed(ErrorKind.CODEX_CRASHED, "Done: ", thread_id=THREAD, codex_turn_id=TURN)


def files_of(turn: TurnDir) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in turn.path.iterdir() if path.is_file()}


def test_the_session_file_alone_completes_a_turn(settings: Settings, turns: TurnsOnDisk, session: Path) -> None:
    turn = crashed(turns)
    recovered = recover(settings, turn)
    assert (recovered.view.state, recovered.view.answer) == (State.COMPLETE, SESSION_ANSWER)
    assert recovered.is_recovered
    assert recovered.view.result["recovered"]["source"] == "rollout"


def test_the_session_file_is_believed_where_the_app_server_calls_the_turn_interrupted(
    settings: Settings, turns: TurnsOnDisk, session: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A codex that was killed right after the end: its databases do not have that end.
    interrupted = {"id": TURN, "status": "interrupted", "items": []}
    monkeypatch.setattr(action, "_ask_app_server", lambda *_: StoredTurn(interrupted))
    recovered = recover(settings, crashed(turns))
    assert (recovered.view.state, recovered.view.answer) == (State.COMPLETE, SESSION_ANSWER)
    assert recovered.view.result["recovered"]["source"] == "rollout"


def test_an_interrupted_turn_stays_one_where_the_session_file_has_no_end_either(
    settings: Settings, turns: TurnsOnDisk, session: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = session.read_bytes()
    session.write_bytes(data[: data.index(b'"task_complete"')])
    interrupted = {"id": TURN, "status": "interrupted", "items": []}
    monkeypatch.setattr(action, "_ask_app_server", lambda *_: StoredTurn(interrupted))
    recovered = recover(settings, crashed(turns))
    assert (recovered.view.state, recovered.view.answer, recovered.is_recovered) == (State.FAILED, "Done: ", False)


def test_a_session_file_without_the_turns_end_adds_no_end(
    settings: Settings, turns: TurnsOnDisk, session: Path
) -> None:
    data = session.read_bytes()
    session.write_bytes(data[: data.index(b'"task_complete"')])
    recovered = recover(settings, crashed(turns))
    assert (recovered.view.state, recovered.view.answer) == (State.FAILED, SESSION_ANSWER)
    assert recovered.is_recovered


@pytest.mark.parametrize("damage", ["gone", "garbage", "of-another-turn"])
def test_without_any_record_codex_is_missing(
    settings: Settings, turns: TurnsOnDisk, session: Path, damage: str
) -> None:
    turn = crashed(turns)
    match damage:
        case "gone":
            session.unlink()
        case "garbage":
            session.write_bytes(os.urandom(10_000))
        case "of-another-turn":
            write_json(turn.meta, (read_json(turn.meta) or {}) | {"codex_turn_id": "another"})
    before = files_of(turn)
    with pytest.raises(CodexMissingError, match="does not answer"):
        recover(settings, turn)
    assert files_of(turn) == before


def test_a_complete_turn_needs_no_attention(settings: Settings, turns: TurnsOnDisk) -> None:
    turn = turns.complete()
    before = files_of(turn)
    recovered = recover(settings, turn)
    assert (recovered.is_recovered, recovered.view.state) == (False, State.COMPLETE)
    assert "nothing to recover" in recovered.message
    assert files_of(turn) == before


def test_a_turn_that_does_not_tell_what_was_asked_is_left_as_it_is(settings: Settings, turns: TurnsOnDisk) -> None:
    turn = turns.complete()
    turn.meta.write_text("{")
    before = files_of(turn)
    recovered = recover(settings, turn)
    assert (recovered.is_recovered, recovered.view.state, recovered.view.answer) == (False, State.FAILED, ANSWER)
    assert "record cannot be read" in recovered.message
    assert files_of(turn) == before


def test_a_dead_workers_turn_is_repaired_first(settings: Settings, turns: TurnsOnDisk) -> None:
    turn = turns.dead(CUT_TURN)
    with pytest.raises(CodexMissingError):
        recover(settings, turn)
    assert (turn.marker, turn.answer.read_text()) == (Marker.ERROR, ANSWER)


@pytest.mark.parametrize("steps", ["result", "done"])
def test_a_recovery_that_was_cut_short_is_finished_without_asking(
    settings: Settings, turns: TurnsOnDisk, steps: str
) -> None:
    turn = crashed(turns)
    error = turn.error.read_bytes()
    found = Recovery("whole", Outcome(State.COMPLETE, "whole", None, None, None))
    ended = recovery.read_ended(turn)
    assert ended is not None
    recovery.publish_recovery(turn, ended, found, "app-server")
    turn.error.write_bytes(error)
    if steps == "result":
        turn.done.unlink()
    recovered = recover(settings, turn)
    assert (recovered.is_recovered, recovered.view.state, recovered.view.answer) == (True, State.COMPLETE, "whole")
    assert not turn.error.exists()


def test_a_turn_in_other_hands_is_busy(settings: Settings, turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(action, "_LOCK_TIMEOUT_S", 0.1)
    turn = crashed(turns)
    fd = recovery.take_lock(turn, 0)
    assert fd is not None
    with pytest.raises(BusyError, match="another process holds turn"):
        recover(settings, turn)
    os.close(fd)


def test_a_running_turn_is_busy(settings: Settings, turns: TurnsOnDisk) -> None:
    with pytest.raises(BusyError, match="is still running") as caught:
        recover(settings, turns.running())
    assert caught.value.exit_code is Exit.BUSY


def test_a_turn_that_is_deleted_meanwhile_is_not_found(settings: Settings, turns: TurnsOnDisk) -> None:
    turn = crashed(turns)
    shutil.rmtree(turn.path)
    with pytest.raises(NotFoundError, match="was deleted"):
        recover(settings, turn)


def test_a_lock_that_cannot_be_opened_is_a_home_that_cannot_be_written(settings: Settings, turns: TurnsOnDisk) -> None:
    turn = crashed(turns)
    turn.lock.unlink()
    turn.lock.mkdir()
    with pytest.raises(HomeError, match="cannot write"):
        recover(settings, turn)


def test_a_full_disk_leaves_the_turn_as_it_is(
    settings: Settings, turns: TurnsOnDisk, session: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = crashed(turns)
    before = files_of(turn)

    def fail(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(recovery, "append_text", fail)
    with pytest.raises(HomeError, match="No space left"):
        recover(settings, turn)
    assert files_of(turn) == before


@pytest.mark.parametrize("was_asked", [True, False])
def test_a_turn_whose_id_codex_never_told_is_not_looked_for(
    settings: Settings, turns: TurnsOnDisk, session: Path, *, was_asked: bool
) -> None:
    # The thread's session file holds a turn with the same prompt from the same second.
    turn = turns.running("PATCH it", thread_id=THREAD, codex_turn_id=None)
    start = b'{"seq":0,"ts":1795200020500,"dir":"out","id":1,"method":"turn/start","params":{"threadId":"%s"}}\n'
    turn.events.write_bytes(start % THREAD.encode() if was_asked else b"")
    turns.drop_lock(turn.turn_id)
    recovered = recover(settings, turn)
    assert (recovered.view.state, recovered.is_recovered, recovered.view.answer) == (State.ABANDONED, False, None)
    assert recovered.message == (
        "The turn ended before Codex told its id of it: Codex's record cannot be asked about it. "
        f"`codex-server show {THREAD}` prints what its thread holds."
    )
