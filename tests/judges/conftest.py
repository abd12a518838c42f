"""The gateway that the suites of others are run against: the installed command, with a scripted model behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Initialised, initialised
from tests.kit.chat_model import ChatModel
from tests.kit.home import Home
from tests.kit.serving import Serving
from tests.kit.support import codex_binaries
from tests.kit.willing_model import WillingModel

__all__ = ["ChatsAlone", "Judged", "initialised", "over_each", "over_one"]

_IDS, _BINARIES = [label for label, _ in codex_binaries()], [path for _, path in codex_binaries()]
over_each = pytest.mark.parametrize("judged", _BINARIES, ids=_IDS, indirect=True, scope="module")
"""For a test that is run with each real codex."""
over_one = pytest.mark.parametrize("judged", _BINARIES[:1], ids=_IDS[:1], indirect=True, scope="module")
"""For one that is run with one of them."""


class ChatsAlone(WillingModel):
    """The laws are those of chats: a turn in the background, whose prompt says that it is one, is Codex's own."""

    def problems_of(self, body: dict[str, Any]) -> list[str]:
        return [] if "in the background" in str(body["input"]) else super().problems_of(body)


class Judged:
    """A gateway for the suites of a file.

    Attributes:
        url: where it listens.
        model: answers; its `problems` are what it should never have been sent.
        scratch: a directory for reports.
    """

    def __init__(self, root: Path, home: Home, model: ChatModel) -> None:
        self.model, self.scratch = model, root
        home.model(model)
        self.url = Serving(home, "--max-streams", "64").address


@pytest.fixture(scope="module")
def judged(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, initialised: Initialised
) -> Iterator[Judged]:
    """Over the codex of the parameter; the file says in `MODEL` what answers."""
    root = tmp_path_factory.mktemp("judged")
    home = Home(root, request.param, initialised(request.param))
    try:
        yield Judged(root, home, getattr(request.module, "MODEL", ChatModel)())
    finally:
        has_failed = request.session.testsfailed > 0
        left = home.close(has_failed=has_failed)
    assert left == [] or has_failed, "the gateway left processes behind"


@pytest.fixture(autouse=True)
def _laws(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a suite asks for, the model is sent nothing that it should not be."""
    if "judged" not in request.fixturenames:
        yield
        return
    judged: Judged = request.getfixturevalue("judged")
    judged.model.forget()
    yield
    assert judged.model.seen, "the suite never reached the model"
    assert judged.model.problems == []
