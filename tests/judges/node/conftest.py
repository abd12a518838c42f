"""The clients for node, and a gateway for the tests of a file, with the rule-based model behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.openai.conftest import running
from tests.kit.chat_gateway import ChatGateway
from tests.kit.chat_model import ChatModel
from tests.kit.node_clients import NodeClients, clients_in
from tests.kit.support import codex_binaries

_BINARIES = codex_binaries()


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeClients]:
    """The clients; skipped where there is no node."""
    clients = clients_in(tmp_path_factory)
    yield clients
    clients.close()


@pytest.fixture(scope="module", params=[path for _, path in _BINARIES], ids=[label for label, _ in _BINARIES])
def chats(
    node: NodeClients, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ChatGateway]:
    """The gateway, over each real codex; its script is `rules`."""
    codex: Path = request.param
    yield from running(tmp_path_factory.mktemp("chats"), codex)


@pytest.fixture
def rules(chats: ChatGateway) -> Iterator[ChatModel]:
    """The model; what it saw before is forgotten, and a request that breaks a law of the gateway fails the test."""
    rules = chats.rules
    rules.forget()
    yield rules
    assert rules.problems == []
