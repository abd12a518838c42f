"""Fixtures of the tests of the page: a Chromium for each file, one house for all of them, its pure modules for node."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Initialised, initialised
from tests.kit.browser import Chromium, Tab, absence
from tests.kit.page_face import PageFace
from tests.kit.page_house import PageHouse, make_house
from tests.kit.page_text import NODE, copy_modules
from tests.kit.support import codex_binaries

__all__ = ["chromium", "face", "house", "initialised", "modules", "tab"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """The browser; skipped with the reason where there is none.

    Of a module, not of all: while it runs, an event loop runs in this thread, and other tests start one of their own.
    """
    if reason := absence():
        pytest.skip(reason)
    browser = Chromium()
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, initialised: Initialised
) -> Iterator[PageHouse]:
    """What is served."""
    (_, codex), *_ = codex_binaries() or [pytest.skip("no codex binary")]
    made = make_house(tmp_path_factory.mktemp("house"), codex, initialised(codex))
    yield made
    has_failed = request.session.testsfailed > 0
    assert made.close(has_failed=has_failed) == [] or has_failed, "the page's turns left processes behind"


@pytest.fixture
def tab(chromium: Chromium, house: PageHouse) -> Iterator[Tab]:
    """The page, of whom nothing is expected but that it behaves: no request leaves it, nothing goes wrong in it."""
    with chromium.tab() as tab:
        tab.page.goto(house.url)
        yield tab
        assert tab.violations(house.url) == []


@pytest.fixture
def face(tab: Tab) -> PageFace:
    """The page, as a person uses it."""
    return PageFace(tab)


@pytest.fixture(scope="session")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's modules of text and logic, for `tests.kit.page_text.run`."""
    if NODE is None:
        pytest.skip("node is not installed")
    return copy_modules(tmp_path_factory.mktemp("text"))
