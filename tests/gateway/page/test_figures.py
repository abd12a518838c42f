"""What turns have used, and what the login may still use, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from jsonschema import Draft202012Validator

from codex_server_cli.demo.codex_home import write_chatgpt_login
from codex_server_cli.gateway.openapi.document import document_of
from codex_server_cli.gateway.options import ServeOptions
from codex_server_cli.gateway.page.figures import GROUPED_BY
from tests.gateway.openai.conftest import running
from tests.gateway.page.test_session import LOCAL, browse, empty_home
from tests.kit.cases import for_each
from tests.kit.chat_gateway import ChatGateway
from tests.kit.support import NO_EXTRAS, Json, codex_binaries

__all__ = ["empty_home"]


@pytest.fixture(scope="module")
def chatgpt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChatGateway]:
    """A gateway over a real codex with a ChatGPT login."""
    yield from running(
        tmp_path_factory.mktemp("figures"),
        codex_binaries()[0][1],
        write_home=lambda home, model: write_chatgpt_login(home, model.origin, features=NO_EXTRAS),
    )


def fits(name: str, value: Json) -> None:
    """Check an answer against its description."""
    made = document_of([], ServeOptions())["components"]["schemas"][name]
    Draft202012Validator({**made, "additionalProperties": False}).validate(value)


@for_each("by", GROUPED_BY)
def test_the_usage_of_a_home_without_turns_is_nothing(by: str) -> None:
    async def act(client: httpx.AsyncClient) -> None:
        full = (await client.get("/usage", params={"by": by, "since": "30d", "full": "true"})).json()
        assert (full["by"], full["groups"], full["total"]["turns"]) == (by, [], 0)
        lean = (await client.get("/usage")).json()
        assert lean["total"]["total_tokens"] == 0
        assert "groups" not in lean
        fits("Usage", full)
        fits("Usage", lean)

    browse(LOCAL, act)


@for_each(
    ("path", "param"),
    [("/usage?by=week", "by"), ("/usage?since=monday", None), ("/usage?sine=1d", "sine"), ("/limits?by=day", "by")],
)
def test_a_parameter_that_says_nothing_is_refused(path: str, param: str | None) -> None:
    async def act(client: httpx.AsyncClient) -> Json:
        answer = await client.get(path)
        assert answer.status_code == 400
        error: Json = answer.json()["error"]
        return error

    assert browse(LOCAL, act)["param"] == param


def test_the_limits_are_those_of_the_login(chatgpt: ChatGateway) -> None:
    with chatgpt.http() as client:
        lean = client.get("/limits").json()
        full = client.get("/limits?full=true").json()
    (limit, *_) = lean["limits"]
    assert 0 <= limit["windows"][0]["used_percent"] <= 100
    assert full["limits"][0]["limit_id"] == limit["limit_id"]
    fits("Limits", lean)
    fits("Limits", full)


def test_without_a_login_that_has_limits_it_says_so(tmp_path: Path) -> None:
    for chats in running(tmp_path, codex_binaries()[0][1]):
        with chats.http() as client:
            answer = client.get("/limits")
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "no_limits")


def test_limits_that_cannot_be_read_are_not_said_to_be_none(tmp_path: Path) -> None:
    def without_network(home: Path, _: object) -> None:
        write_chatgpt_login(home, "http://127.0.0.1:9", features=NO_EXTRAS)

    for chats in running(tmp_path, codex_binaries()[0][1], write_home=without_network):
        with chats.http() as client:
            answer = client.get("/limits")
        assert answer.status_code >= 400
        error = answer.json()["error"]
        assert error["code"] != "no_limits"
        assert "rate limits" in error["message"]
