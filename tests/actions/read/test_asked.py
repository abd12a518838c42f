"""What a turn was asked, read back whole."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from codex_server_cli.actions.read import asked, read
from codex_server_cli.actions.read.asked import asked_of
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import HomeError
from tests.core.openai.bodies import PIXEL, PNG
from tests.kit.turns_on_disk import TurnsOnDisk

NAMES = ["images/1-pixel.png", "images/2-gone.png"]


def turn_with_a_picture(turns: TurnsOnDisk) -> TurnDir:
    turn = turns.running("What is it?\n", request={"cwd": "/", "images": NAMES})
    picture = turn.path / NAMES[0]
    picture.parent.mkdir()
    picture.write_bytes(b64decode(PIXEL))
    return turn


def test_the_prompt_and_the_pictures_that_are_left_are_read(turns: TurnsOnDisk) -> None:
    turn = turn_with_a_picture(turns)
    assert asked_of(turn, read.status(turn)) == ("What is it?\n", (PNG,))


def test_a_turn_that_is_gone_was_asked_nothing(turns: TurnsOnDisk) -> None:
    turn = turn_with_a_picture(turns)
    view = read.status(turn)
    turn.path.rename(turns.path.parent / "elsewhere")
    assert asked_of(turn, view) == ("", ())


def test_that_it_may_not_be_read_is_said(turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    turn = turn_with_a_picture(turns)

    def refuse(path: Path, **_: Any) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(asked, "read_bytes", refuse)
    with pytest.raises(HomeError):
        asked_of(turn, read.status(turn))
