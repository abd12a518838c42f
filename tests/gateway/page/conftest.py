"""Fixtures of the tests of the page in a browser: one Chromium for all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.browser import Chromium, absence


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """The browser; skipped with the reason where there is none."""
    if reason := absence():
        pytest.skip(reason)
    browser = Chromium()
    yield browser
    browser.close()
