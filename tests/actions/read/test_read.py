"""Reading, waiting and listing, without a worker."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Timer

import pytest

from codex_server_cli.actions.read import follow, read
from codex_server_cli.actions.read.read import TurnFilter
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.result.commands import commands_in
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import BusyError, ErrorKind, Exit
from codex_server_cli.settings.places import Settings
from tests.kit.support import DEADLINE_S
from tests.kit.turns_on_disk import ANSWER, WHOLE_TURN, TurnsOnDisk


def ids(views: list[TurnView]) -> list[str]:
    return [view.turn_id for view in views]


def test_waiting_for_an_ended_turn_takes_no_time(turns: TurnsOnDisk) -> None:
    assert read.wait(turns.complete(), 0).state is State.COMPLETE
    assert read.wait(turns.dead(WHOLE_TURN)).answer == ANSWER


def test_waiting_gives_up_when_its_time_is_over(turns: TurnsOnDisk) -> None:
    turn = turns.running()
    started = time.monotonic()
    assert read.wait(turn, 0.2).state is State.RUNNING
    assert 0.2 <= time.monotonic() - started < DEADLINE_S


def test_waiting_ends_with_the_turn_and_publishes_the_end_of_a_dead_worker(turns: TurnsOnDisk) -> None:
    turn = turns.running()
    turn.events.write_bytes(WHOLE_TURN)
    timer = Timer(0.1, turns.drop_lock, [turn.turn_id])
    timer.start()
    assert read.wait(turn, DEADLINE_S).state is State.COMPLETE
    timer.join()
    assert turn.done.exists()


def test_waiting_for_a_turn_that_is_deleted_meanwhile_ends(turns: TurnsOnDisk, tmp_path: Path) -> None:
    turn = turns.running()

    def delete() -> None:
        turn.path.rename(tmp_path / "gone")
        turns.drop_lock(turn.turn_id)

    timer = Timer(0.1, delete)
    timer.start()
    assert read.wait(turn, DEADLINE_S).state is State.MISSING
    timer.join()


def test_an_answer_is_final_or_busy(turns: TurnsOnDisk) -> None:
    assert read.answer(turns.complete()).answer == ANSWER
    running = turns.running()
    with pytest.raises(BusyError) as caught:
        read.answer(running)
    assert caught.value.exit_code is Exit.BUSY
    assert commands_in(caught.value.hint) == [
        f"codex-server wait {running.turn_id} --timeout 100 --print answer",
        f"codex-server tail {running.turn_id}",
    ]


def test_those_that_run_are_told_newest_first_and_the_dead_are_not_among_them(
    settings: Settings, turns: TurnsOnDisk
) -> None:
    first, _, _, second = turns.running(), turns.complete(), turns.dead(), turns.running()
    assert ids(read.running(settings)) == [second.turn_id, first.turn_id]


def test_a_listing_passes_what_its_filter_wants_up_to_its_limit(
    settings: Settings, turns: TurnsOnDisk, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (tmp_path / "link").symlink_to(here)
    first = turns.complete(cwd=str(here), thread_id="a").turn_id
    second = turns.failed(ErrorKind.NETWORK, cwd="/elsewhere", thread_id="a").turn_id
    third = turns.dead(cwd=str(here), thread_id="b").turn_id
    fourth = turns.running(cwd=str(here), thread_id="a").turn_id

    def listed(limit: int = 10, **wanted: object) -> list[str]:
        return ids(read.list_turns(settings, limit, TurnFilter(**wanted)))  # type: ignore[arg-type]

    assert listed() == [fourth, third, second, first]
    assert listed(2) == [fourth, third]
    assert listed(state=State.ABANDONED) == [third]
    assert listed(1, state=State.COMPLETE) == [first]
    assert listed(cwd=str(tmp_path / "link")) == [fourth, third, first]
    assert listed(thread_ids=frozenset("a")) == [fourth, second, first]
    assert listed(thread_ids=frozenset("a"), cwd=str(here), state=State.RUNNING) == [fourth]


def test_the_beginning_of_a_prompt_never_ends_within_a_character(turns: TurnsOnDisk) -> None:
    view = read.status(turns.complete(prompt="a" + "é" * 300))
    assert read.prompt_beginning(view) == "a" + "é" * 199
    assert read.prompt_beginning(TurnView("x", "/nowhere", State.MISSING)) == ""


def test_following_gives_every_piece_and_ends_with_the_turn(turns: TurnsOnDisk) -> None:
    turn = turns.running()
    turn.out.write_text("one ")
    pieces = follow.text(turn, follows=True)
    assert next(pieces) == b"one "
    with turn.out.open("a") as file:
        file.write("two")
    assert next(pieces) == b"two"
    with turn.out.open("a") as file:
        file.write(" three")
    turns.end(turn)
    turns.drop_lock(turn.turn_id)
    assert b"".join(pieces) == b" three\n"


def test_following_a_turn_whose_worker_dies_ends_with_what_the_repair_added(turns: TurnsOnDisk) -> None:
    turn = turns.running()
    turn.events.write_bytes(WHOLE_TURN)
    turn.out.write_text("Hello")
    pieces = follow.text(turn, follows=True)
    assert next(pieces) == b"Hello"
    turns.drop_lock(turn.turn_id)
    assert b"".join(pieces).decode().startswith(" from mock")


def test_events_come_in_whole_lines(turns: TurnsOnDisk) -> None:
    turn = turns.running()
    turn.events.write_bytes(b'{"seq":0}\n{"seq":1}\n{"seq":2')
    assert list(follow.events(turn)) == [b'{"seq":0}', b'{"seq":1}']
    assert list(follow.events(turn, last_lines=2)) == [b'{"seq":1}']
    events = follow.events(turn, follows=True)
    assert [next(events), next(events)] == [b'{"seq":0}', b'{"seq":1}']
    with turn.events.open("ab") as file:
        file.write(b"}\n")
    assert next(events) == b'{"seq":2}'


def test_a_name_is_found_before_the_turn_has_ended(settings: Settings, turns: TurnsOnDisk) -> None:
    turn = turns.running(name="fix")
    found = read.find(settings, "fix")
    assert (type(found), found.path) == (TurnDir, turn.path)
