"""The fixture of the suite that runs over every way to an app-server, with each codex."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Initialised
from tests.kit.failed import has_failed
from tests.kit.places import Place, Way, marker_of
from tests.kit.support import codex_binaries


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that has a `place` over every way with every codex, each of them in its tier."""
    if "place" not in metafunc.fixturenames:
        return
    cases = []
    for number, (label, codex) in enumerate(codex_binaries()):
        for way in Way:
            name = marker_of(metafunc.function, way, is_first_codex=number == 0)
            marks = [getattr(pytest.mark, name)] if name else []
            cases.append(pytest.param((way, codex), marks=marks, id=f"{way.value}-{label}"))
    metafunc.parametrize("place", cases, indirect=True)


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path, initialised: Initialised) -> Iterator[Place]:
    """A home whose turns reach one codex in one way."""
    way, codex = request.param
    place = Place(tmp_path, codex, initialised(codex), way)
    yield place
    failed = has_failed(request.node)
    assert place.close(has_failed=failed) == [] or failed, "the turns of this test left processes behind"
