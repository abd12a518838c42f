"""Fixtures of the tests of the shared app-server: a place for one, which is empty at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.failed import has_failed
from tests.kit.shared_server import SharedServer


def _server(request: pytest.FixtureRequest, codex: Path) -> Iterator[SharedServer]:
    server = SharedServer(request.getfixturevalue("tmp_path"), codex, request.getfixturevalue("codex_home"))
    with pytest.MonkeyPatch.context() as monkeypatch:
        server.put_into_environment(monkeypatch)
        yield server
        if has_failed(request.node):
            server.kill()
        else:
            server.end()


@pytest.fixture
def server(request: pytest.FixtureRequest, codex: Path) -> Iterator[SharedServer]:
    """A place for a shared server of each codex in turn."""
    yield from _server(request, codex)


@pytest.fixture
def one_server(request: pytest.FixtureRequest, one_codex: Path) -> Iterator[SharedServer]:
    """A place for a shared server of one codex."""
    yield from _server(request, one_codex)
