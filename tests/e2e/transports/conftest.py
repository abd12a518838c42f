"""The fixture of the suite that runs over every way to an app-server, with each codex."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.e2e.conftest import Initialised
from tests.kit.failed import has_failed
from tests.kit.places import TransportHome, Way, marker_of
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


def _place(
    request: pytest.FixtureRequest, way: Way, codex: Path, initialised: Initialised, root: Path | None = None
) -> Iterator[TransportHome]:
    place = TransportHome(root or request.getfixturevalue("tmp_path"), codex, initialised(codex), way)
    yield place
    failed = has_failed(request.node)
    assert place.close(has_failed=failed) == [] or failed, "the turns of this test left processes behind"


@pytest.fixture
def place(request: pytest.FixtureRequest, initialised: Initialised) -> Iterator[TransportHome]:
    """A home whose turns reach one codex in one way."""
    way, codex = request.param
    yield from _place(request, way, codex, initialised)


@pytest.fixture
def shared_place(request: pytest.FixtureRequest, one_codex: Path, initialised: Initialised) -> Iterator[TransportHome]:
    """A home whose turns are on our own shared server."""
    yield from _place(request, Way.SHARED, one_codex, initialised)


@pytest.fixture
def unix_place(request: pytest.FixtureRequest, one_codex: Path, initialised: Initialised) -> Iterator[TransportHome]:
    """A home whose turns are on somebody else's server."""
    yield from _place(request, Way.UNIX, one_codex, initialised)


@pytest.fixture
def short_place(request: pytest.FixtureRequest, one_codex: Path, initialised: Initialised) -> Iterator[TransportHome]:
    """The same as `shared_place`, with paths so short that a client can name each socket."""
    with TemporaryDirectory(prefix="place-") as root:
        yield from _place(request, Way.SHARED, one_codex, initialised, Path(root))
