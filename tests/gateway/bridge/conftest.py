"""Fixtures of the bridge's tests: a gateway for all tests of a module, with the filter or without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.kit.bridge import BridgeGateway
from tests.kit.shared_server import SharedServer
from tests.kit.support import codex_binaries

_BINARIES = codex_binaries()


@contextmanager
def served(factory: pytest.TempPathFactory, codex: Any, **options: Any) -> Iterator[BridgeGateway]:
    root = factory.mktemp("bridge")
    codex_home = root / "codex-home"
    codex_home.mkdir(mode=0o700)
    server = SharedServer(root, codex, codex_home)
    with pytest.MonkeyPatch.context() as monkeypatch:
        server.put_into_environment(monkeypatch)
        try:
            gateway = BridgeGateway(server, **options)
            yield gateway
            gateway.close()
        finally:
            server.kill()


@pytest.fixture(scope="module", params=[path for _, path in _BINARIES], ids=[label for label, _ in _BINARIES])
def bridge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeGateway]:
    """A gateway as it is started by default, over each codex in turn."""
    with served(tmp_path_factory, request.param) as gateway:
        yield gateway


@pytest.fixture(scope="module", params=[path for _, path in _BINARIES], ids=[label for label, _ in _BINARIES])
def raw_bridge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeGateway]:
    """A gateway with `--allow-raw-rpc`, over each codex in turn."""
    with served(tmp_path_factory, request.param, has_raw_rpc=True) as gateway:
        yield gateway
