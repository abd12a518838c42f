"""What handles which request of another shell: the worker itself, or the turn that it runs."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codex_server_cli.core.result.outcome import Cause
from codex_server_cli.core.session.control import ShellRequest
from codex_server_cli.core.session.steering import Steer
from codex_server_cli.disk.files import read_json
from codex_server_cli.disk.turn import inbox
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.worker.inbox import take_requests
from tests.kit.turns_on_disk import TurnsOnDisk


@pytest.fixture
def turn(tmp_path: Path) -> Iterator[TurnDir]:
    with TurnsOnDisk(tmp_path / "home" / "turns") as turns:
        yield turns.running()


def reply_of(reply_path: Path) -> tuple[bool, str | None]:
    """Whether a request was done, and why not."""
    answer: dict[str, Any] = read_json(reply_path) or {}
    return answer["ok"], (answer["error"] or {}).get("message")


def test_what_cannot_be_read_is_refused_and_what_is_behind_it_is_served(turn: TurnDir) -> None:
    bad = [inbox.post(turn, "dance"), inbox.post(turn, "steer", {"text": 7})]
    good = inbox.post(turn, "steer", {"text": "left"})
    served: list[ShellRequest] = []
    assert take_requests(turn, served.append) is None
    assert served == [Steer(str(good.with_suffix(".json")), "left")]
    assert [reply_of(path) for path in bad] == [
        (False, "this worker does not know the request 'dance'"),
        (False, "text must be text"),
    ]
    assert not good.exists()  # the turn itself reports that


@pytest.mark.parametrize("is_running", [True, False])
def test_a_cancel_ends_a_worker_whether_its_turn_runs_or_not(turn: TurnDir, is_running: bool) -> None:
    path, served = inbox.post(turn, "cancel"), list[ShellRequest]()
    assert take_requests(turn, served.append if is_running else None) is Cause.CANCELLED
    assert served == []
    assert reply_of(path) == (True, None)


@pytest.mark.parametrize("op", ["steer", "dance"])
def test_a_turn_that_has_yet_to_begin_takes_nothing_else(turn: TurnDir, op: str) -> None:
    path = inbox.post(turn, op)
    assert take_requests(turn) is None
    assert reply_of(path) == (False, "the turn has not begun yet")


def test_a_refusal_that_cannot_be_written_is_no_crash(turn: TurnDir, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = inbox.post(turn, "dance")
    monkeypatch.setattr(inbox, "reply", refuse)
    assert take_requests(turn, lambda _: None) is None
    assert not path.exists()
