"""The queue of waiting turns and the slots to run in: order, death at any point, and nothing that needs a cleanup."""

from __future__ import annotations

import _thread
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from codex_server_cli.core.model.turn import is_turn_id
from codex_server_cli.disk.queue import queue
from codex_server_cli.disk.queue.queue import Slot, Ticket
from tests.kit.support import DEADLINE_S

TAKE_TICKETS = """
import pathlib, sys
from codex_server_cli.disk.queue import queue
for _ in range(20):
    with queue.in_order(pathlib.Path(sys.argv[1])) as order:
        print(order.take_ticket().turn_id, flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "home" / "queue"


@pytest.fixture
def wake() -> Iterator[tuple[int, int]]:
    """A pipe in place of the FIFO that a queued turn listens to."""
    read_fd, write_fd = os.pipe()
    yield read_fd, write_fd
    os.close(read_fd)
    os.close(write_fd)


def enqueue(folder: Path, count: int) -> list[Ticket]:
    tickets = []
    for _ in range(count):
        with queue.in_order(folder) as order:
            tickets.append(order.take_ticket())
    return tickets


def die(ticket: Ticket) -> None:
    """The effect of its worker's death on a ticket."""
    os.close(ticket.fd)


def is_woken(read_fd: int, timeout_s: float) -> bool:
    return bool(select.select([read_fd], [], [], timeout_s)[0])


def test_tickets_are_turn_ids_in_order(folder: Path) -> None:
    ids = [ticket.turn_id for ticket in enqueue(folder, 50)]
    assert all(map(is_turn_id, ids))
    assert ids == sorted(set(ids))


def test_processes_that_take_tickets_at_the_same_time_get_them_in_one_order(folder: Path) -> None:
    takers = [
        subprocess.Popen([sys.executable, "-c", TAKE_TICKETS, folder], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    words = [taker.communicate(timeout=DEADLINE_S)[0].split() for taker in takers]
    assert all(each == sorted(each) and len(each) == 20 for each in words)
    assert len({turn_id for each in words for turn_id in each}) == 80


def test_each_is_the_head_once_those_before_it_have_left(folder: Path) -> None:
    first, second, third = enqueue(folder, 3)
    assert [first.is_head(), second.is_head(), third.is_head()] == [True, False, False]
    first.leave()
    assert [second.is_head(), third.is_head()] == [True, False]
    second.leave()
    assert third.is_head()
    third.leave()
    assert sorted(path.name for path in folder.iterdir()) == ["order"]


def test_one_that_leaves_from_the_middle_of_the_queue_opens_no_gap_behind_it(folder: Path) -> None:
    first, second, third = enqueue(folder, 3)
    die(second)
    assert not third.is_head()
    first.leave()
    assert third.is_head()


def test_a_turn_that_is_cancelled_in_the_queue_lets_no_other_overtake(folder: Path) -> None:
    first, second, third = enqueue(folder, 3)
    second.leave()
    (fourth,) = enqueue(folder, 1)
    assert not third.is_head()
    third.leave()
    assert not fourth.is_head()
    first.leave()
    assert fourth.is_head()
    fourth.leave()
    assert sorted(path.name for path in folder.iterdir()) == ["order"]


def test_one_that_leaves_and_comes_back_stands_behind_all_who_came_meanwhile(folder: Path) -> None:
    first, second = enqueue(folder, 2)
    first.leave()
    assert second.is_head()
    (back,) = enqueue(folder, 1)
    assert back.turn_id > second.turn_id
    assert not back.is_head()
    second.leave()
    assert back.is_head()
    back.leave()
    assert sorted(path.name for path in folder.iterdir()) == ["order"]


def test_a_machine_without_threads_to_spare_costs_no_queued_turn(
    folder: Path, wake: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    first, second = enqueue(folder, 2)
    with monkeypatch.context() as patch:
        patch.setattr(_thread, "start_new_thread", refuse)
        second.wake_behind(wake[1])
    second.wake_behind(wake[1])  # there is one again
    first.leave()
    assert is_woken(wake[0], DEADLINE_S)


def test_a_process_that_is_stopped_while_it_makes_a_turn_blocks_no_other_for_ever(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "ORDER_TIMEOUT_S", 0.05)
    with queue.in_order(folder), pytest.raises(TimeoutError), queue.in_order(folder):
        pass


@pytest.mark.parametrize("dead", [(0,), (1, 2), (0, 1, 2), (2, 3)])
def test_a_turn_that_dies_in_the_queue_is_passed_over(folder: Path, dead: tuple[int, ...]) -> None:
    line = enqueue(folder, 5)
    for index in dead:
        die(line[index])
    alive = [ticket for index, ticket in enumerate(line) if index not in dead]
    for index, ticket in enumerate(alive):
        assert ticket.is_head()
        assert not any(later.is_head() for later in alive[index + 1 :])
        ticket.leave()


def test_a_line_whose_end_died_goes_on_behind_those_that_live(folder: Path) -> None:
    first, second = enqueue(folder, 2)
    die(second)
    (third,) = enqueue(folder, 1)
    assert not third.is_head()
    first.leave()
    assert third.is_head()
    third.leave()


def test_a_turn_is_woken_when_the_one_before_it_leaves(folder: Path, wake: tuple[int, int]) -> None:
    first, second = enqueue(folder, 2)
    assert not second.is_head()
    second.wake_behind(wake[1])
    second.wake_behind(wake[1])  # once is enough
    assert not is_woken(wake[0], 0.05)
    first.leave()
    assert is_woken(wake[0], DEADLINE_S)
    assert os.read(wake[0], 100) == b"!"
    assert second.is_head()
    second.leave()


def test_a_turn_is_woken_when_the_one_before_it_dies(folder: Path, wake: tuple[int, int]) -> None:
    first, second = enqueue(folder, 2)
    assert not second.is_head()
    second.wake_behind(wake[1])
    die(first)
    assert is_woken(wake[0], DEADLINE_S)
    assert second.is_head()
    second.leave()


@pytest.mark.parametrize(
    "words", [b"", b"no id", b"../../etc/passwd", b"\xff" * 200, b"20\x00", b"20991399-999999-999-zzzz"]
)
def test_an_order_file_that_was_damaged_costs_the_order_and_nothing_else(folder: Path, words: bytes) -> None:
    enqueue(folder, 1)
    (folder / "order").write_bytes(words)
    (ticket,) = enqueue(folder, 1)
    assert is_turn_id(ticket.turn_id)
    assert ticket.is_head()
    ticket.leave()


def test_a_clock_that_was_set_back_does_not_let_a_turn_push_in(folder: Path) -> None:
    enqueue(folder, 1)
    (folder / "order").write_text("20991231-235959-999-ffff")
    ids = [ticket.turn_id for ticket in enqueue(folder, 2)]
    assert [turn_id[:19] for turn_id in ids] == ["21000101-000000-000", "21000101-000000-001"]


# --- slots


def take(folder: Path, turn_id: str, max_running: int = 2) -> Slot | None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return queue.take_slot(folder, turn_id, max_running)


def test_there_are_as_many_slots_as_turns_may_run(folder: Path) -> None:
    slots = [take(folder, f"2026-{number}") for number in range(3)]
    assert [slot is not None for slot in slots] == [True, True, False]
    assert slots[0] is not None
    slots[0].release()
    assert take(folder, "2026-4") is not None


def test_a_released_slot_names_no_dead_turn(folder: Path) -> None:
    slot = take(folder, "2026-1", 1)
    assert slot is not None
    slot.release()
    again = take(folder, "2026-2", 1)
    assert again is not None
    assert again.left_by is None


def test_a_slot_tells_which_turn_died_in_it(folder: Path) -> None:
    slot = take(folder, "2026-1", 1)
    assert slot is not None
    os.close(slot.fd)
    again = take(folder, "2026-2", 1)
    assert again is not None
    assert again.left_by == "2026-1"


def test_the_head_of_the_queue_hears_of_a_free_slot(folder: Path) -> None:
    slot = take(folder, "2026-1", 1)
    assert slot is not None
    wake_fd = queue.open_wake(folder)
    assert not is_woken(wake_fd, 0)
    slot.release()
    assert is_woken(wake_fd, DEADLINE_S)
    os.close(wake_fd)


def test_a_planted_link_gets_no_byte_of_ours(folder: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    slot = take(folder, "2026-1", 1)
    assert slot is not None
    (folder / "wake").symlink_to(victim)
    (folder / "slot-1").symlink_to(victim)
    slot.release()
    with pytest.raises(OSError, match=r"symbolic links|Not a"):
        queue.open_wake(folder)
    assert take(folder, "2026-2", 1) is not None
    assert take(folder, "2026-3", 2) is None  # the only slot will become free
    assert victim.read_text() == "mine"


def test_slots_that_cannot_be_had_at_all_are_an_error(folder: Path) -> None:
    folder.mkdir(parents=True)
    for number in range(2):
        (folder / f"slot-{number}").mkdir()
    with pytest.raises(OSError, match="directory"):
        take(folder, "2026-1", 2)
    assert take(folder, "2026-1", 3) is not None


def test_below_a_turn_there_is_one_slot_which_leaves_no_file(folder: Path) -> None:
    slot = queue.take_slot_below(folder, "2026-2", "2026-1")
    assert slot is not None
    assert queue.take_slot_below(folder, "2026-3", "2026-1") is None
    assert queue.take_slot_below(folder, "2026-3", "2026-9") is not None
    slot.release()
    assert [path.name for path in folder.iterdir()] == ["below-2026-9"]


def test_a_ticket_that_was_replaced_by_something_else_blocks_no_turn(folder: Path) -> None:
    first, second = enqueue(folder, 2)
    (folder / first.turn_id).unlink()
    (folder / first.turn_id).mkdir()
    assert second.is_head()
    second.leave()


def test_a_folder_that_is_deleted_under_its_tickets_is_made_again(folder: Path) -> None:
    (ticket,) = enqueue(folder, 1)
    shutil.rmtree(folder)
    assert ticket.is_head()
    assert take(folder, ticket.turn_id, 1) is not None
    ticket.leave()


# --- cleanup


def test_tickets_of_the_dead_are_swept_when_the_queue_is_empty(folder: Path) -> None:
    first, second, third = enqueue(folder, 3)
    die(first)
    die(third)
    assert queue.sweep_tickets(folder) == 0  # they are links of a queue in which a turn waits
    second.leave()  # and takes the place of the first before that
    assert queue.sweep_tickets(folder) == 1
    assert sorted(path.name for path in folder.iterdir()) == ["order"]


def test_where_there_is_no_queue_nothing_is_swept(tmp_path: Path) -> None:
    assert queue.sweep_tickets(tmp_path / "none") == 0
    assert list(tmp_path.iterdir()) == []
