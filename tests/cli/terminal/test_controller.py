"""What becomes of a decision when the user leaves the cockpit before it has arrived."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from codex_server_cli.actions.control import control
from codex_server_cli.actions.read.board import Board, Selection
from codex_server_cli.actions.read.read import TurnFilter
from codex_server_cli.cli.terminal.controller import Controller
from codex_server_cli.errors import BusyError
from codex_server_cli.render.turns.cockpit import machine
from codex_server_cli.settings.places import Settings
from tests.kit.support import DEADLINE_S
from tests.kit.turns_on_disk import TurnsOnDisk


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("CODEX_SERVER_HOME", str(tmp_path))
    return Settings.load()


@pytest.fixture
def turns(settings: Settings) -> Iterator[TurnsOnDisk]:
    with TurnsOnDisk(settings.turns_path) as turns:
        yield turns


Posts = queue.SimpleQueue[Callable[[], None]]


@pytest.fixture
def slow_cancel(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Cancelling waits for this, and is refused then."""
    goes_on = threading.Event()

    def refuse(*_args: Any) -> Any:
        assert goes_on.wait(DEADLINE_S)
        raise BusyError("it does not answer")

    monkeypatch.setattr(control, "cancel", refuse)
    monkeypatch.setattr(machine, "HASTE_S", 0.0)
    yield goes_on
    goes_on.set()


def cancelling(settings: Settings) -> tuple[Controller, Callable[[], None]]:
    """A controller whose user has just cancelled the first turn, and what runs its posts."""
    posts: Posts = queue.SimpleQueue()
    controller = Controller(
        settings, Board(settings, Selection(settings, TurnFilter(None, None))), None, posts.put, lambda: None
    )
    for key in "cy":
        controller.frame(80, 24)
        controller.note_drawn()
        assert controller.take(key)

    def catch_up() -> None:
        while not posts.empty():
            posts.get()()

    return controller, catch_up


def test_what_came_of_a_decision_is_told_though_the_user_has_left(
    settings: Settings, turns: TurnsOnDisk, slow_cancel: threading.Event
) -> None:
    short_id = turns.running().turn_id[-4:]
    controller, catch_up = cancelling(settings)
    threading.Timer(0.05, slow_cancel.set).start()
    assert controller.finish(DEADLINE_S, catch_up) == [f"{short_id}: it does not answer"]
    assert controller.finish(DEADLINE_S, catch_up) == []


def test_one_that_takes_too_long_is_not_waited_for_and_said_to_be_open(
    settings: Settings, turns: TurnsOnDisk, slow_cancel: threading.Event
) -> None:
    short_id = turns.running().turn_id[-4:]
    controller, catch_up = cancelling(settings)
    assert controller.finish(0.0, catch_up) == [
        f"{short_id}: what came of it is not known yet: codex-server status {short_id}"
    ]


def test_what_was_told_on_the_screen_is_not_told_again(
    settings: Settings, turns: TurnsOnDisk, slow_cancel: threading.Event
) -> None:
    turns.running()
    controller, catch_up = cancelling(settings)
    slow_cancel.set()
    while not controller.state.message.endswith("it does not answer"):
        catch_up()
    assert controller.finish(DEADLINE_S, catch_up) == []
