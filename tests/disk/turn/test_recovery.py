"""A better end replaces an existing one: what is written, in which order, and what a crash in between leaves."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import pytest

from codex_server_cli.core.history.stored_turn import NOTICE, Published, Recovery
from codex_server_cli.core.model.turn import Marker, State
from codex_server_cli.core.result.outcome import Outcome
from codex_server_cli.disk import lock
from codex_server_cli.disk.files import read_json, write_json
from codex_server_cli.disk.turn import recovery
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.reader import TurnReader
from codex_server_cli.disk.turn.recovery import Ended
from codex_server_cli.disk.turn.repair import repair
from codex_server_cli.errors import ErrorKind
from tests.kit.turns_on_disk import ANSWER, CUT_TURN, TurnsOnDisk

WHOLE = f"{ANSWER}, and the rest"
COMPLETE = Recovery(WHOLE, Outcome(State.COMPLETE, WHOLE, None, None, None))
LONGER = Recovery(WHOLE, None)
KILLED = pytest.mark.parametrize("crash_at", range(5))


def no_sweep(_turn: TurnDir) -> int:
    return 0


def abandoned(turns: TurnsOnDisk) -> TurnDir:
    """A turn whose worker died in the middle, repaired."""
    turn = turns.dead(CUT_TURN)
    repair(turn, no_sweep)
    assert turn.marker is Marker.ERROR
    return turn


def read_ended(turn: TurnDir) -> Ended:
    ended = recovery.read_ended(turn)
    assert ended is not None
    return ended


def publish(turn: TurnDir, found: Recovery) -> None:
    recovery.publish_recovery(turn, read_ended(turn), found, "app-server")


def text_of(turn: TurnDir) -> str:
    return turn.out.read_text(encoding="utf-8")


def test_what_is_on_disk_of_an_ended_turn_is_read_again(turns: TurnsOnDisk) -> None:
    ended = read_ended(abandoned(turns))
    assert ended.record.turn_id == ended.meta["codex_turn_id"]
    assert ended.record.thread_id == ended.meta["thread_id"]
    assert ended.published == Published(ANSWER, "worker_died")


def test_without_events_the_small_files_tell_what_they_can(turns: TurnsOnDisk) -> None:
    turn = abandoned(turns)
    turn.events.unlink()
    ended = read_ended(turn)
    assert ended.record.turn_id == (read_json(turn.meta) or {})["codex_turn_id"]
    assert (ended.published, ended.result["answer"]) == (Published(ANSWER, "worker_died"), ANSWER)


def test_a_turn_that_does_not_tell_what_was_asked_is_not_read_again(turns: TurnsOnDisk) -> None:
    turn = abandoned(turns)
    turn.meta.write_text("{")
    assert recovery.read_ended(turn) is None


def test_a_recovered_turn_is_complete_and_marked(turns: TurnsOnDisk) -> None:
    turn = abandoned(turns)
    finished_at = (read_json(turn.meta) or {})["finished_at"]
    publish(turn, COMPLETE)
    view = TurnReader(no_sweep).view(turn)
    assert (view.state, view.answer, view.error) == (State.COMPLETE, WHOLE, None)
    assert (turn.done.exists(), turn.error.exists()) == (True, False)
    assert turn.answer.read_text() == WHOLE
    assert text_of(turn) == f"{ANSWER}\n{NOTICE}, and the rest\n"
    result = json.loads(turn.result.read_bytes())
    assert (result["recovered"]["source"], result["error"], result["finished_at"]) == ("app-server", None, finished_at)
    assert result["recovered"]["at"] >= finished_at


def test_a_longer_part_of_an_answer_leaves_the_end_as_it_is(turns: TurnsOnDisk) -> None:
    turn = abandoned(turns)
    before = TurnReader(no_sweep).view(turn)
    publish(turn, LONGER)
    view = TurnReader(no_sweep).view(turn)
    assert (view.state, view.answer) == (State.ABANDONED, WHOLE)
    assert view.error == {**(before.error or {}), "partial_answer": WHOLE}
    assert json.loads(turn.error.read_bytes())["partial_answer"] == WHOLE
    assert json.loads(turn.result.read_bytes())["recovered"]["source"] == "app-server"
    assert not turn.done.exists()


def test_a_recovery_makes_a_result_that_cannot_be_read_anew(turns: TurnsOnDisk) -> None:
    turn = abandoned(turns)
    for found, end in ((LONGER, (State.FAILED, WHOLE, "internal")), (COMPLETE, (State.COMPLETE, WHOLE, None))):
        turn.result.write_bytes(b"{")
        assert read_ended(turn).published == Published(ANSWER, "internal")
        publish(turn, found)
        view = TurnReader(no_sweep).view(turn)
        assert (view.state, view.answer, (view.error or {}).get("kind")) == end


def test_what_commands_wrote_is_kept(turns: TurnsOnDisk) -> None:
    turn = turns.failed(ErrorKind.CODEX_CRASHED, thread_id="thread", codex_turn_id="turn")
    known = {"changes": [{"path": "a", "kind": "add", "added": 1, "removed": 0, "by": "command"}]}
    write_json(turn.result, (read_json(turn.result) or {}) | known | {"changes_of": "work_tree"})
    outcome = Outcome(State.COMPLETE, WHOLE, None, None, None, changes=[{"path": "b", "kind": "add"}])
    publish(turn, Recovery(WHOLE, outcome))
    result = read_json(turn.result) or {}
    assert (result["changes"], result["changes_of"]) == (known["changes"], "work_tree")


def test_what_was_used_is_kept(turns: TurnsOnDisk) -> None:
    turn = turns.failed(ErrorKind.CODEX_CRASHED, thread_id="thread", codex_turn_id="turn")
    write_json(turn.result, (read_json(turn.result) or {}) | {"usage": {"total_tokens": 5}, "limits": {"primary": 1}})
    publish(turn, COMPLETE)
    result = json.loads(turn.result.read_bytes())
    assert (result["usage"], result["limits"]) == ({"total_tokens": 5}, {"primary": 1})


@KILLED
@pytest.mark.parametrize("found", [COMPLETE, LONGER], ids=["complete", "longer"])
def test_a_crash_between_any_two_files_reads_correctly_and_the_next_one_finishes_it(
    turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch, found: Recovery, crash_at: int
) -> None:
    turn, twin = abandoned(turns), abandoned(turns)
    publish(twin, found)
    steps = 0

    def step_or_crash(source: Path, target: Path | None = None) -> None:
        nonlocal steps
        if steps == crash_at:
            raise KeyboardInterrupt
        steps += 1
        source.replace(target) if target is not None else os.remove(source)  # noqa: PTH107 — unlink is replaced

    monkeypatch.setattr(os, "rename", step_or_crash)
    monkeypatch.setattr(os, "unlink", step_or_crash)
    with contextlib.suppress(KeyboardInterrupt):
        publish(turn, found)
    monkeypatch.undo()
    view = TurnReader(no_sweep).view(turn)
    is_over = found is COMPLETE and crash_at == 4  # `done` exists, and wins
    assert view.state is (State.COMPLETE if is_over else State.ABANDONED)
    assert view.answer == (ANSWER if crash_at == 0 else WHOLE)
    if not recovery.finish_publishing(turn) and crash_at == 0:  # there is no trace of it yet: it starts again
        publish(turn, found)
    assert not recovery.finish_publishing(turn)
    assert text_of(turn) == text_of(twin)
    assert (turn.marker, turn.error.exists()) == (twin.marker, twin.error.exists())
    ours, theirs = TurnReader(no_sweep).view(turn), TurnReader(no_sweep).view(twin)
    assert (ours.state, ours.answer) == (theirs.state, theirs.answer)


def test_an_end_that_was_not_recovered_has_nothing_to_finish(turns: TurnsOnDisk) -> None:
    for turn in (abandoned(turns), turns.complete()):
        assert not recovery.finish_publishing(turn)
    turn = abandoned(turns)
    turn.result.unlink()
    assert not recovery.finish_publishing(turn)


def test_the_lock_is_waited_for_and_not_for_ever(turns: TurnsOnDisk) -> None:
    turn = abandoned(turns)
    fd = recovery.take_lock(turn, 0)
    assert fd is not None
    assert recovery.take_lock(turn, 0.1) is None
    os.close(fd)
    assert not lock.is_held(turn.lock)


def test_a_deleted_turn_has_no_lock(turns: TurnsOnDisk) -> None:
    with pytest.raises(OSError, match="No such file"):
        recovery.take_lock(TurnDir(turns.path / "20261120-165501-482-ffff"), 0)
