"""A worker that waits outside of its loop notices what would end its turn, and takes no request meanwhile."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from codex_server_cli.disk.turn import inbox
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.worker.server.interruption import is_told_to_stop


@pytest.fixture
def turn(tmp_path: Path) -> Iterator[TurnDir]:
    """A turn whose worker has its FIFO open."""
    turn = TurnDir(tmp_path / "turn")
    turn.inbox.mkdir(parents=True)
    os.mkfifo(turn.wake)
    wake_fd = inbox.open_wake(turn)
    yield turn
    os.close(wake_fd)


def test_nothing_has_come(turn: TurnDir) -> None:
    assert not is_told_to_stop(turn)


def test_a_cancel_counts_and_stays_to_be_taken(turn: TurnDir) -> None:
    inbox.post(turn, "cancel")
    assert is_told_to_stop(turn)
    assert is_told_to_stop(turn)
    assert [request.op for request in inbox.unanswered(turn)] == ["cancel"]


def test_a_signal_counts_which_writes_nothing_but_a_byte(turn: TurnDir) -> None:
    inbox.wake(turn)
    assert is_told_to_stop(turn)


def test_another_request_does_not_count_but_a_cancel_beside_it_does(turn: TurnDir) -> None:
    inbox.post(turn, "steer")
    assert not is_told_to_stop(turn)
    inbox.post(turn, "cancel")
    assert is_told_to_stop(turn)


def test_a_deleted_turn_counts(turn: TurnDir) -> None:
    shutil.rmtree(turn.path)
    assert is_told_to_stop(turn)


def test_a_turn_without_its_fifo_is_not_over(turn: TurnDir) -> None:
    turn.wake.unlink()
    assert not is_told_to_stop(turn)
