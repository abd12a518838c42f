"""Another user's files in the queue cannot be opened: they are waited for while that user holds them, with a bound."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from codex_server_cli.disk.queue import queue
from codex_server_cli.disk.queue.queue import Ticket

pytestmark = pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only Linux lists who holds a lock")

Close = Callable[[Path], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "home" / "queue"


@pytest.fixture
def close(monkeypatch: pytest.MonkeyPatch) -> Close:
    """Make a file another user's (root opens all, so the system's refusal is simulated)."""
    closed: set[str] = set()
    open_ = os.open

    def refuse(path: Path | str, *arguments: int, **more: int) -> int:
        if str(path) in closed:
            raise PermissionError(13, "Permission denied", str(path))
        return open_(path, *arguments, **more)

    monkeypatch.setattr(os, "open", refuse)
    return lambda path: closed.add(str(path))


@pytest.fixture
def other_user() -> Iterator[Callable[[Path], int]]:
    """Hold a lock file as another user; closing the descriptor releases it."""
    fds: list[int] = []

    def hold(path: Path) -> int:
        path.parent.mkdir(parents=True, exist_ok=True)
        fds.append(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        fcntl.flock(fds[-1], fcntl.LOCK_EX)
        return fds[-1]

    yield hold
    for fd in fds:
        os.close(fd)


def take_ticket(folder: Path) -> Ticket:
    with queue.in_order(folder) as order:
        return order.take_ticket()


def test_a_strangers_ticket_is_waited_for_while_he_is_queued(folder: Path, close: Close) -> None:
    first, second = take_ticket(folder), take_ticket(folder)
    close(folder / first.turn_id)
    assert not second.is_head()
    os.close(first.fd)  # that user's worker died
    assert second.is_head()
    os.close(second.fd)


def test_a_strangers_slot_counts_while_he_has_it(folder: Path, close: Close, other_user: Callable[[Path], int]) -> None:
    fd = other_user(folder / "slot-0")
    close(folder / "slot-0")
    assert queue.take_slot(folder, "20261120-165501-482-7f3a", 1) is None
    slot = queue.take_slot(folder, "20261120-165501-482-7f3a", 2)
    assert slot is not None
    slot.release()
    fcntl.flock(fd, fcntl.LOCK_UN)
    with pytest.raises(PermissionError):  # no slot is ever free here: the turn runs without one
        queue.take_slot(folder, "20261120-165501-482-7f3a", 1)


def test_what_a_stranger_holds_names_no_turn_and_hides_no_other(
    folder: Path, close: Close, other_user: Callable[[Path], int]
) -> None:
    other_user(folder / "slot-0")
    close(folder / "slot-0")
    slot = queue.take_slot(folder, "20261120-165501-482-7f3a", 2)
    assert slot is not None
    assert queue.holders(folder, only_living=True) == ["20261120-165501-482-7f3a"]
    os.close(slot.fd)
    assert queue.holders(folder, only_living=True) == []
    assert queue.holders(folder, only_living=False) == ["20261120-165501-482-7f3a"]
    assert queue.holders(folder / "nowhere", only_living=False) == []
