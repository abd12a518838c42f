"""Fixtures of the tests of responses in the background: turns over HTTP, and the official client of them."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest

from tests.gateway.turns.conftest import face, home, initialised, one_home, serve
from tests.kit.support import DEADLINE_S
from tests.kit.turns_face import TurnsFaceServer

__all__ = ["face", "home", "initialised", "one_home", "serve"]


def official(url: str) -> openai.OpenAI:
    """The official client, which tries each request once."""
    return openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0, timeout=DEADLINE_S)


@pytest.fixture
def client(face: TurnsFaceServer) -> Iterator[openai.OpenAI]:
    """The official client of the gateway."""
    with official(face.url) as client:
        yield client
