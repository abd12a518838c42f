"""What the cockpit's threads hand back where an action fails."""

from __future__ import annotations

import queue
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codex_server_cli.actions.read import read
from codex_server_cli.cli.terminal.background import BackgroundTasks
from codex_server_cli.render.style.ink import PLAIN
from codex_server_cli.render.turns.cockpit.state import Cancel, Intent, Look, OpenPage, Pane
from codex_server_cli.settings.places import Settings
from tests.kit.support import DEADLINE_S

GONE = "20261120-165501-482-7f3a"


class RecordingController:
    """A controller that keeps what it is told."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def tell(self, turn_id: str, message: str) -> None:
        assert turn_id == GONE
        self.messages.append(message)

    def open(self, *_what: Any) -> None:
        raise AssertionError("nothing is to be opened")

    show_request = open


def handed_over(settings: Settings, act: Any, controller: RecordingController) -> Callable[[], None]:
    posts: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    BackgroundTasks(settings, controller, posts.put, PLAIN).run(act)
    return posts.get(timeout=DEADLINE_S)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    (tmp_path / "turns").mkdir()
    monkeypatch.setenv("CODEX_SERVER_HOME", str(tmp_path))
    return Settings.load()


def test_an_action_on_a_turn_that_is_gone_is_told(settings: Settings) -> None:
    for act in (Cancel(GONE), Look(GONE, Intent.APPROVE), OpenPage(Pane.TAIL, GONE), OpenPage(Pane.DIFF, GONE)):
        controller = RecordingController()
        handed_over(settings, act, controller)()
        (message,) = controller.messages
        assert message.startswith(f"no such turn: {GONE}")


def test_a_file_that_cannot_be_read_is_told_and_a_fault_of_ours_ends_the_board(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(error: Exception) -> Callable[..., Any]:
        def fail(*_args: Any) -> Any:
            raise error

        return fail

    controller = RecordingController()
    monkeypatch.setattr(read, "find", failing(PermissionError("no access")))
    handed_over(settings, Cancel(GONE), controller)()
    assert controller.messages == ["no access"]
    monkeypatch.setattr(read, "find", failing(ValueError("a fault")))
    with pytest.raises(ValueError, match="a fault"):
        handed_over(settings, Cancel(GONE), controller)()
