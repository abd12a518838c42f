"""`wait --any` and `wait --until attention` return at the first end or request, however it became known."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from codex_server_cli.actions.read import wait
from codex_server_cli.actions.read.wait import Watched
from codex_server_cli.core.model.turn import State
from codex_server_cli.disk.files import write_json
from codex_server_cli.disk.journal import journal
from codex_server_cli.disk.turn import follow as disk_follow
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.settings.places import Settings
from tests.kit.support import DEADLINE_S, wait_until
from tests.kit.turns_on_disk import TurnsOnDisk

REQUEST = {"id": "0", "kind": "command", "message": "run touch f1"}
LONG_S = DEADLINE_S


def ask(turn: TurnDir) -> None:
    write_json(turn.pending, {"version": 1, "turn_id": turn.turn_id, "pending": [REQUEST]})


def set_phase(turn: TurnDir) -> None:
    journal.append(
        turn.path.parents[1], journal.attention_entry(turn.turn_id, "waiting_approval", "0", "run touch f1", None)
    )


def while_waiting(monkeypatch: pytest.MonkeyPatch, do: Callable[[], None]) -> threading.Thread:
    """Call this once the wait has examined its turns for the first time."""
    checked = threading.Event()
    quick_check = wait._quick_check

    def check(directory: TurnDir, *, until_attention: bool) -> tuple[State, bool]:
        found = quick_check(directory, until_attention=until_attention)
        checked.set()
        return found

    monkeypatch.setattr(wait, "_quick_check", check)

    def run() -> None:
        wait_until(checked.is_set, what="the first look")
        do()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


Brief = tuple[State, list[dict[str, str]]]
RUNS: Brief = (State.RUNNING, [])
ASKS: Brief = (State.RUNNING, [REQUEST])


def brief(seen: list[Watched]) -> list[Brief]:
    return [(view.state, requests) for view, requests in seen]


@pytest.mark.parametrize("is_any", [False, True])
def test_a_request_that_waits_already_is_told_at_once(turns: TurnsOnDisk, is_any: bool) -> None:
    first, second = turns.running(), turns.running()
    ask(second)
    assert brief(wait.wait([first, second], is_any=is_any, timeout_s=LONG_S)) == [RUNS, ASKS]


def test_a_request_that_the_journal_tells_of_ends_the_wait(turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wait, "PROBE_INTERVAL_S", LONG_S)
    turn, other = turns.running(), turns.running()
    journal.prepare(turns.path.parent)

    def do() -> None:
        set_phase(other)
        ask(turn)
        set_phase(turn)

    asker = while_waiting(monkeypatch, do)
    assert brief(wait.wait([turn], is_any=False, timeout_s=LONG_S)) == [ASKS]
    asker.join()


def test_a_request_that_the_journal_does_not_tell_of_is_found(
    turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = turns.running()
    asker = while_waiting(monkeypatch, lambda: ask(turn))
    assert brief(wait.wait([turn], is_any=False, timeout_s=LONG_S)) == [ASKS]
    asker.join()


def test_without_a_journal_the_turns_are_looked_at(
    turns: TurnsOnDisk, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wait, "PROBE_INTERVAL_S", 0.01)
    turn = turns.running()
    journal.folder_of(settings.home).write_text("in the way")
    asker = while_waiting(monkeypatch, lambda: ask(turn))
    assert brief(wait.wait([turn], is_any=False, timeout_s=LONG_S)) == [ASKS]
    asker.join()


def test_an_end_ends_the_wait_for_any_and_the_last_one_that_for_all(
    turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    over, runs = turns.complete(), turns.running()
    assert brief(wait.wait([over, runs], is_any=True, timeout_s=LONG_S)) == [(State.COMPLETE, []), RUNS]
    killer = while_waiting(monkeypatch, lambda: turns.drop_lock(runs.turn_id))
    seen = brief(wait.wait([over, runs], is_any=False, timeout_s=LONG_S))
    killer.join()
    assert seen == [(State.COMPLETE, []), (State.ABANDONED, [])]


def test_a_request_that_another_shell_answers_between_two_looks_does_not_count(
    turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wait, "_quick_check", lambda _, **__: (True, True))
    assert brief(wait.wait([turns.running()], is_any=False, timeout_s=0.1)) == [RUNS]


def test_a_request_of_an_ended_turn_is_not_shown(turns: TurnsOnDisk) -> None:
    turn = turns.complete()
    ask(turn)
    assert brief(wait.wait([turn], is_any=False)) == [(State.COMPLETE, [])]


def test_a_wait_for_an_end_is_not_ended_by_a_request(turns: TurnsOnDisk) -> None:
    asks, runs = turns.running(), turns.running()
    ask(asks)
    seen = brief(wait.wait([asks, runs], is_any=True, until_attention=False, timeout_s=0.1))
    assert seen == [RUNS, RUNS]


def test_what_has_ended_already_is_told_without_a_watch(turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wait, "wakeups", None)
    over, runs = turns.complete(), turns.running()
    seen = brief(wait.wait([runs, over], is_any=True, until_attention=False))
    assert seen == [RUNS, (State.COMPLETE, [])]


def test_a_turn_that_is_deleted_meanwhile_has_ended(
    turns: TurnsOnDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deleted, runs = turns.running(), turns.running()

    def delete() -> None:
        deleted.path.rename(tmp_path / "gone")

    deleter = while_waiting(monkeypatch, delete)
    seen = brief(wait.wait([deleted, runs], is_any=True, until_attention=False))
    deleter.join()
    assert seen == [(State.MISSING, []), RUNS]


def test_an_end_that_the_journal_tells_of_is_told_at_once(turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wait, "PROBE_INTERVAL_S", 2 * LONG_S)
    ends, runs = turns.running(), turns.running()
    journal.prepare(turns.path.parent)

    def end() -> None:
        turns.end(ends)
        journal.append(turns.path.parent, journal.end_entry(ends.turn_id, "complete", None, None))

    ender = while_waiting(monkeypatch, end)
    seen = wait.wait([runs, ends], is_any=True, until_attention=False, timeout_s=LONG_S)
    ender.join()
    assert [watched.view.state for watched in seen] == [State.RUNNING, State.COMPLETE]


@pytest.mark.parametrize("has_journal", [True, False])
def test_the_time_is_kept_between_two_looks_and_none_of_the_processors_is_used(
    turns: TurnsOnDisk, settings: Settings, monkeypatch: pytest.MonkeyPatch, has_journal: bool
) -> None:
    monkeypatch.setattr(wait, "PROBE_INTERVAL_S", 2 * LONG_S)
    monkeypatch.setattr(disk_follow, "WAKE_INTERVAL_MS", 2000 * int(LONG_S))
    running = [turns.running(), turns.running()]
    if not has_journal:
        journal.folder_of(settings.home).write_text("in the way")
    started, worked = time.monotonic(), time.process_time()
    assert brief(wait.wait(running, is_any=True, until_attention=False, timeout_s=1)) == [RUNS, RUNS]
    assert 1 <= time.monotonic() - started < LONG_S
    assert time.process_time() - worked < 0.5


def test_of_200_turns_the_one_whose_worker_dies_is_told_without_a_file_or_a_thread_for_each(
    turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = [turns.running() for _ in range(200)]
    died, n_threads = running[120], []
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest_fd = max(int(path.name) for path in Path("/dev/fd").iterdir())

    def die() -> None:
        n_threads.append(psutil.Process().num_threads())
        turns.drop_lock(died.turn_id)

    resource.setrlimit(resource.RLIMIT_NOFILE, (min(highest_fd + 30, soft), hard))
    try:
        killer = while_waiting(monkeypatch, die)
        seen = wait.wait(running, is_any=True, until_attention=False)
        killer.join()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [view.turn_id for view, _ in seen] == [turn.turn_id for turn in running]
    assert [view.turn_id for view, _ in seen if view.state is not State.RUNNING] == [died.turn_id]
    assert max(n_threads) < len(running)
