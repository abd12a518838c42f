"""Fixtures of the tests of turns over HTTP: a home with a codex, and the face in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.conftest import home, initialised, one_home
from tests.kit.home import Home
from tests.kit.turns_face import TurnsFaceServer

__all__ = ["home", "initialised", "one_home"]

Serve = Callable[..., TurnsFaceServer]


@pytest.fixture
def serve(one_home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Serves turns with these options of `serve`."""
    opened = []

    def start(**options: Any) -> TurnsFaceServer:
        opened.append(TurnsFaceServer(one_home, monkeypatch, **options))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


@pytest.fixture
def face(serve: Serve) -> TurnsFaceServer:
    """Turns are served with no other option than the directory."""
    return serve()
