"""Reading turns: which exist, which one is meant, and the state of each."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from codex_server_cli.core.model.turn import Phase, State, TurnError
from codex_server_cli.disk import lock
from codex_server_cli.disk.files import write_json
from codex_server_cli.disk.process import process_identity
from codex_server_cli.disk.turn import lookup, repair
from codex_server_cli.disk.turn import reader as reader
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.reader import TurnReader
from codex_server_cli.errors import AmbiguousError, ErrorKind, Exit, NotFoundError
from tests.kit.support import DEADLINE_S
from tests.kit.turns_on_disk import ANSWER, WHOLE_TURN, TurnsOnDisk


def no_sweep(turn: TurnDir) -> int:
    raise AssertionError(f"{turn.turn_id} needed no repair")


def sweep(_turn: TurnDir) -> int:
    return 0


# --- the state of a turn


def test_every_kind_of_end_is_a_state(turns: TurnsOnDisk) -> None:
    expected = {
        turns.complete().turn_id: State.COMPLETE,
        turns.failed(ErrorKind.CANCELLED).turn_id: State.CANCELLED,
        turns.failed(ErrorKind.WORKER_DIED).turn_id: State.ABANDONED,
        turns.failed(ErrorKind.NETWORK).turn_id: State.FAILED,
        turns.running().turn_id: State.RUNNING,
        "20260101-000000-000-0000": State.MISSING,
    }
    assert {turn_id: TurnReader(no_sweep).state(TurnDir(turns.path / turn_id)) for turn_id in expected} == expected


def test_a_marker_wins_over_a_lock_that_is_still_held(turns: TurnsOnDisk) -> None:
    turn = turns.running()
    turns.end(turn)
    assert TurnReader(no_sweep).state(turn) is State.COMPLETE


def test_an_error_that_cannot_be_read_is_a_failure(turns: TurnsOnDisk) -> None:
    turn = turns.running()
    turn.error.write_text('{"kind": "canc')
    view = TurnReader(no_sweep).view(turn)
    assert (view.state, (view.error or {})["kind"]) == (State.FAILED, "internal")


def test_an_error_of_an_older_version_has_every_member_too(turns: TurnsOnDisk) -> None:
    whole, old = (turns.failed(ErrorKind.NETWORK, "a part") for _ in range(2))
    write_json(old.result, {"state": "failed", "answer": "a part", "error": {"kind": "network", "message": "m"}})
    errors = [TurnReader(no_sweep).view(turn).error or {} for turn in (whole, old)]
    assert errors[0].keys() - {"finished_at"} == errors[1].keys() == TurnError(ErrorKind.NETWORK, "").to_json().keys()


def test_any_reader_repairs_the_turn_of_a_dead_worker(turns: TurnsOnDisk) -> None:
    assert TurnReader(sweep).state(turns.dead()) is State.ABANDONED
    assert TurnReader(sweep).state(turns.dead(WHOLE_TURN)) is State.COMPLETE


def dead_worker() -> dict[str, Any]:
    """A record of a worker that once had our pid."""
    ticks, boot_id = process_identity(os.getpid())
    return {"pid": os.getpid(), "pid_start_ticks": (ticks or 0) - 1, "boot_id": boot_id}


def test_a_dead_turn_that_another_reader_is_repairing_can_be_outlasted(
    turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn, is_sweeping, may_end, wait_until_free = turns.dead(**dead_worker()), Event(), Event(), lock.wait_until_free

    def sweep_slowly(_turn: TurnDir) -> None:
        is_sweeping.set()
        assert may_end.wait(DEADLINE_S)

    def let_it_end(path: Path, timeout_s: float | None = None) -> bool:
        may_end.set()
        return wait_until_free(path, timeout_s)

    monkeypatch.setattr(lock, "wait_until_free", let_it_end)
    repairer = Thread(target=repair.repair, args=(turn, sweep_slowly))
    repairer.start()
    assert is_sweeping.wait(DEADLINE_S)
    view = TurnReader(no_sweep).view(turn)
    assert view.state is State.RUNNING
    assert reader.outlast_repairer(turn, view)
    assert TurnReader(no_sweep).view(turn).state is State.ABANDONED
    repairer.join()


@pytest.mark.parametrize("holder", [None, 0, os.getpid()], ids=["unseen", "untold", "itself"])
def test_there_is_no_wait_for_the_repair_of_a_turn_whose_worker_lives_elsewhere_or_under_another_pid(
    turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch, holder: int | None
) -> None:
    def wait_in_vain(*_: object) -> bool:
        raise AssertionError("its worker lives elsewhere")

    ticks, boot_id = process_identity(os.getpid())
    turn = turns.running(pid=2**30, pid_start_ticks=ticks, boot_id=boot_id)
    monkeypatch.setattr(reader, "holder_pid", lambda _: holder)
    monkeypatch.setattr(lock, "wait_until_free", wait_in_vain)
    assert not reader.outlast_repairer(turn, TurnReader(no_sweep).view(turn))


def test_there_is_no_wait_for_a_turn_that_has_ended_or_whose_worker_is_known_to_live(turns: TurnsOnDisk) -> None:
    ticks, boot_id = process_identity(os.getpid())
    for turn in (turns.complete(), turns.running(pid=os.getpid(), pid_start_ticks=ticks, boot_id=boot_id)):
        assert not reader.outlast_repairer(turn, TurnReader(no_sweep).view(turn))


def test_a_worker_that_finishes_between_two_looks_is_seen_as_finished(
    turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn, is_held = turns.running(), lock.is_held

    def probe_then_finish(path: Path) -> bool:
        was_held = is_held(path)
        turns.end(turn)
        return was_held

    monkeypatch.setattr(lock, "is_held", probe_then_finish)
    assert TurnReader(no_sweep).state(turn) is State.COMPLETE


def test_a_worker_that_finished_before_the_first_look_is_never_taken_for_dead(
    turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn, is_held = turns.running(), lock.is_held

    def finish_then_probe(path: Path) -> bool:
        if not turn.done.exists():
            turns.end(turn)
            turns.drop_lock(turn.turn_id)
        return is_held(path)

    monkeypatch.setattr(lock, "is_held", finish_then_probe)
    assert TurnReader(no_sweep).state(turn) is State.COMPLETE


def test_a_turn_that_is_deleted_between_two_looks_is_missing(
    turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    turn, is_held = turns.complete(), lock.is_held

    def probe_then_delete(path: Path) -> bool:
        was_held = is_held(path)
        turn.path.rename(tmp_path / "gone")
        return was_held

    monkeypatch.setattr(lock, "is_held", probe_then_delete)
    assert TurnReader(no_sweep).state(turn) is State.MISSING


# --- what is reported of it


def test_a_running_turn_tells_its_phase_and_how_long_it_has_run(turns: TurnsOnDisk) -> None:
    turn = turns.running(thread_id="t")
    write_json(turn.live, {"phase": "running_command", "usage": {"total_tokens": 3}})
    view = TurnReader(no_sweep).view(turn)
    assert (view.phase, view.live["usage"], view.thread_id) == (Phase.RUNNING_COMMAND, {"total_tokens": 3}, "t")
    assert view.elapsed_s is not None
    assert (view.result, view.error, view.answer) == ({}, None, None)


@pytest.mark.parametrize("live", [None, "{", '{"phase": "a newer version\'s"}'])
def test_a_phase_that_is_not_told_or_not_known_is_starting(turns: TurnsOnDisk, live: str | None) -> None:
    turn = turns.running()
    if live is not None:
        turn.live.write_text(live)
    assert TurnReader(no_sweep).view(turn).phase is Phase.STARTING


def test_an_ended_turn_tells_its_answer_and_nothing_of_what_was_live(turns: TurnsOnDisk) -> None:
    turn = turns.complete(started_at="2026-11-20T16:55:01.000Z", finished_at="2026-11-20T16:55:03.500Z")
    write_json(turn.live, {"phase": "answering"})
    view = TurnReader(no_sweep).view(turn)
    assert (view.answer, view.phase, view.live, view.error) == (ANSWER, None, {}, None)
    assert view.elapsed_s == 2.5


def test_an_end_that_is_being_replaced_is_told_by_its_marker(turns: TurnsOnDisk) -> None:
    turn = turns.failed(ErrorKind.WORKER_DIED)
    write_json(
        turn.result, {"state": "complete", "answer": "more", "error": None}
    )  # by a recovery, killed before `done`
    view = TurnReader(no_sweep).view(turn)
    assert (view.state, view.answer, (view.error or {})["kind"]) == (State.ABANDONED, "more", "worker_died")


# --- which exist


def test_turns_are_listed_newest_first_and_nothing_else_is(turns: TurnsOnDisk) -> None:
    ids = [turns.complete().turn_id for _ in range(3)]
    for name in (".new-20261120-165599-482-7f3a", ".gc-20261120-165599-482-7f3a", "notes", "20261120"):
        (turns.path / name).mkdir()
    assert lookup.turn_ids(turns.path) == ids[::-1]


def test_no_turns_directory_means_no_turns(tmp_path: Path) -> None:
    assert lookup.turn_ids(tmp_path / "nowhere") == []
    assert list(lookup.iter_meta(tmp_path / "nowhere")) == []


def test_a_turn_without_a_readable_meta_file_is_passed_over(turns: TurnsOnDisk) -> None:
    turns.complete().meta.write_text("{")
    whole = turns.complete()
    assert [turn.turn_id for turn, _ in lookup.iter_meta(turns.path)] == [whole.turn_id]


# --- which one is meant


def resolve(turns: TurnsOnDisk, selector: str, cwd: str | None = None) -> str:
    return lookup.resolve(turns.path, selector, cwd).turn_id


def test_a_turn_is_meant_by_its_id_or_any_unique_prefix_of_it(turns: TurnsOnDisk) -> None:
    first, second = turns.complete().turn_id, turns.complete().turn_id
    assert resolve(turns, first) == first
    assert resolve(turns, second[:15]) == second
    with pytest.raises(AmbiguousError, match=f"2 turns begin with 2026112: {second}, {first}$"):
        resolve(turns, "2026112")


def test_a_turn_is_meant_by_the_end_of_its_id_unless_it_is_another_ones_name(turns: TurnsOnDisk) -> None:
    first = turns.complete().turn_id
    assert resolve(turns, first[-4:]) == resolve(turns, first[-8:]) == resolve(turns, first[-15:]) == first
    absent = "0bad" if not first.endswith("0bad") else "0bae"
    with pytest.raises(NotFoundError, match=f"no such turn: {absent}"):
        resolve(turns, absent)
    named = turns.complete(name="beef").turn_id
    assert resolve(turns, "beef") == named
    rival = f"{first[:-4]}beef"
    (turns.path / first).rename(turns.path / rival)
    with pytest.raises(AmbiguousError, match=f"2 turns have beef .*: {named}, {rival}"):
        resolve(turns, "beef")


def test_many_that_share_a_prefix_are_not_all_named(turns: TurnsOnDisk) -> None:
    for _ in range(5):
        turns.complete()
    with pytest.raises(AmbiguousError, match=r"^5 turns .* …$") as caught:
        resolve(turns, "2")
    assert caught.value.exit_code is Exit.NOT_FOUND


def test_the_newest_bearer_of_a_name_is_meant(turns: TurnsOnDisk) -> None:
    turns.complete(name="fix")
    newest = turns.running(name="fix").turn_id
    turns.complete(name="other")
    assert resolve(turns, "fix") == newest


def test_last_means_the_newest_of_a_directory_whatever_it_is_called(turns: TurnsOnDisk, tmp_path: Path) -> None:
    project, other, link = tmp_path / "project", tmp_path / "other", tmp_path / "link"
    project.mkdir()
    other.mkdir()
    link.symlink_to(project)
    turns.complete(cwd=str(project))
    newest = turns.complete(cwd=str(link)).turn_id
    elsewhere = turns.complete(cwd=str(other)).turn_id
    assert resolve(turns, "last", str(project)) == newest
    assert resolve(turns, "last", f"{link}/") == newest
    assert resolve(turns, "last", str(other)) == elsewhere
    with pytest.raises(NotFoundError, match=f"no turn was started in {tmp_path}"):
        resolve(turns, "last", str(tmp_path))


def test_last_means_the_current_directory_where_none_is_given(
    turns: TurnsOnDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve(turns, turns.complete(cwd=str(tmp_path)).turn_id) == resolve(turns, "last")


def test_a_current_directory_that_is_gone_hinders_only_last(
    turns: TurnsOnDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn_id = turns.complete(cwd=str(tmp_path)).turn_id
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert resolve(turns, turn_id) == turn_id
    with pytest.raises(NotFoundError, match="current directory is gone"):
        resolve(turns, "last")


@pytest.mark.parametrize(
    "selector",
    [
        *("", " ", ".", "..", "-", "/", "../x", "../../etc/passwd", "a/b", "./20261120-165501-482-7f3a"),
        *("20261120-165501-482-7f3a/..", "20261120-165501-482-7f3a/../x", "20261120-165501-482-7f3aa", "é", "a b"),
        *(".new-20261120-165501-482-7f3a", "20261120-165501-482-7F3A", "x" * 65, "2026\n", "fix\n", "*", "\udcff"),
    ],
)
def test_what_cannot_be_a_turn_is_none_and_no_path_is_made_of_it(turns: TurnsOnDisk, selector: str) -> None:
    turn = turns.complete(name=selector)
    (turns.path / ".new-20261120-165501-482-7f3a").mkdir()
    with pytest.raises(NotFoundError, match=r"not a turn id, prefix or name|no such turn"):
        resolve(turns, selector)
    assert turn.path.is_dir()


@pytest.mark.parametrize("selector", ["20261120-165501-482-ffff", "1", "nobody", "abc", "last"])
def test_what_could_be_a_turn_but_is_not_there_is_not_found(turns: TurnsOnDisk, selector: str, tmp_path: Path) -> None:
    turns.complete(cwd="/elsewhere")
    with pytest.raises(NotFoundError) as caught:
        resolve(turns, selector, str(tmp_path))
    assert not isinstance(caught.value, AmbiguousError)
    assert "list-turns" in caught.value.hint


def test_a_turn_that_is_collected_between_two_looks_is_missing_and_not_complete_without_an_answer(
    turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn, read_state_of = turns.complete(), TurnReader._state_after_repair

    def repair_then_collect(self: TurnReader, directory: TurnDir) -> object:
        found = read_state_of(self, directory)
        turn.path.rename(turns.path / f".gc-{turn.turn_id}")
        return found

    monkeypatch.setattr(TurnReader, "_state_after_repair", repair_then_collect)
    view = TurnReader(lambda _: 0).view(turn)
    assert (view.state, view.answer) == (State.MISSING, None)
