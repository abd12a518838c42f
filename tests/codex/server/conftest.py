"""Fixtures of the tests of the shared app-server: a place for one, which is empty at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.coverage_floor import environment_for
from tests.kit.failed import has_failed
from tests.kit.shared_server import SharedServer
from tests.kit.support import codex_binaries


def _server(request: pytest.FixtureRequest, codex: Path) -> Iterator[SharedServer]:
    server = SharedServer(request.getfixturevalue("tmp_path"), codex, request.getfixturevalue("codex_home"))
    with pytest.MonkeyPatch.context() as monkeypatch:
        server.put_into_environment(monkeypatch)
        for name, value in environment_for(request.node, is_first_codex=codex == codex_binaries()[0][1]).items():
            monkeypatch.setenv(name, value)
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
