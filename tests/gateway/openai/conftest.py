"""One gateway for the tests of a file, with the rule-based model behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from tests.kit.chat_gateway import ChatGateway
from tests.kit.chat_model import ChatModel
from tests.kit.shared_server import SharedServer
from tests.kit.support import codex_binaries

_BINARIES = codex_binaries()


@pytest.fixture(scope="module", params=[path for _, path in _BINARIES], ids=[label for label, _ in _BINARIES])
def chats(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChatGateway]:
    """The gateway, over each real codex; its script is `rules`."""
    root = tmp_path_factory.mktemp("chats")
    yield from running(root, request.param)


def running(root: Path, codex: Path, **more: object) -> Iterator[ChatGateway]:
    """A gateway that is ended afterwards, or killed where a test has failed so badly that it cannot be ended."""
    codex_home = root / "codex-home"
    codex_home.mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as monkeypatch:
        server = SharedServer(root, codex, codex_home)
        server.put_into_environment(monkeypatch)
        try:
            chats = ChatGateway(server, ChatModel(), **more)  # type: ignore[arg-type]
            yield chats
            chats.close()
        finally:
            server.kill()


@pytest.fixture
def rules(chats: ChatGateway) -> Iterator[ChatModel]:
    """The model; what it saw before is forgotten, and a request that breaks a law of the gateway fails the test."""
    rules = chats.rules
    rules.forget()
    yield rules
    assert rules.problems == []


@pytest.fixture
def client(chats: ChatGateway, rules: ChatModel) -> Iterator[openai.OpenAI]:
    """The official client."""
    with chats.client() as client:
        yield client
