"""How clients come in: paths with and without `/v1`, slashes too many, HEAD, what is not here, bodies of all kinds."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.kit.chat_gateway import ChatGateway
from tests.kit.chat_model import ChatModel, conversation_of

ASKED: dict[str, Any] = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "say hello"}]}


@pytest.fixture
def http(chats: ChatGateway, rules: ChatModel) -> Iterator[httpx.Client]:
    """A plain client."""
    with chats.http() as client:
        yield client


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/chat/completions", "//v1/chat/completions/"])
def test_a_chat_is_found_by_each_path_that_clients_make(http: httpx.Client, path: str) -> None:
    answer = http.post(path, json=ASKED)
    assert answer.json()["choices"][0]["message"]["content"] == "hello"


@pytest.mark.parametrize("path", ["/v1/models", "/models", "/v1/models/", "//v1/models", "/v1/models/gpt-5.5", "/"])
def test_models_can_be_asked_for_and_probed(http: httpx.Client, path: str) -> None:
    assert http.get(path).status_code == 200
    head = http.head(path)
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize(
    "path", ["/v1/embeddings", "/embeddings", "/v1/audio/speech", "/v1/images/generations", "/v1/completions", "/v1/x"]
)
def test_what_is_not_here_is_a_404_that_says_what_is(http: httpx.Client, path: str) -> None:
    for answer in (http.post(path, json={}), http.get(path)):
        assert answer.status_code == 404
        error = answer.json()["error"]
        assert "/v1/chat/completions" in error["message"] or error["hint"] == "GET / lists what there is"


def test_what_is_here_is_listed(http: httpx.Client) -> None:
    listed = http.get("/").json()["routes"]
    assert [each for each in listed if "/v1" in each or "models" in each] == [
        "POST /v1/chat/completions",
        "POST /v1/responses",
        "GET /v1/responses/{response}",
        "DELETE /v1/responses/{response}",
        "POST /v1/responses/{response}/cancel",
        "GET /v1/responses/{response}/input_items",
        "GET /v1/models",
        "GET /v1/models/{name:path}",
    ]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
def test_half_a_character_as_javascript_cuts_a_text_is_replaced(
    http: httpx.Client, rules: ChatModel, path: str
) -> None:
    name = "input" if path.endswith("responses") else "messages"
    body = {"model": "half \ud83d", name: [{"role": "user", "content": "say half \ud83d"}]}
    answer = http.post(path, content=json.dumps(body))
    assert answer.status_code == 200
    assert answer.json()["model"] == "half \ufffd"
    assert conversation_of(rules.seen[-1])[-1] == ("user", "say half \ufffd")


def test_stored_completions_are_not_here(http: httpx.Client) -> None:
    assert http.get("/v1/chat/completions/chatcmpl-1").status_code == 404
    answer = http.get("/v1/chat/completions")
    assert answer.status_code in (404, 405)
    assert answer.json()["error"]["type"]


def test_bodies_may_be_compressed_or_begin_with_a_mark(http: httpx.Client) -> None:
    data = json.dumps(ASKED).encode()
    headers = {"Content-Encoding": "gzip"}
    assert http.post("/v1/chat/completions", content=gzip.compress(data), headers=headers).status_code == 200
    assert http.post("/v1/chat/completions", content=b"\xef\xbb\xbf" + data).status_code == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b'{"messages": []}', b'{"messages": 1}'])
def test_a_body_that_is_no_request_is_a_400(http: httpx.Client, body: bytes) -> None:
    answer = http.post("/v1/chat/completions", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"].keys() >= {"message", "type", "param", "code"}


def test_the_bytes_of_a_stream_are_those_that_clients_know(http: httpx.Client) -> None:
    asked = {**ASKED, "stream": True, "stream_options": {"include_usage": True}}
    answer = http.post("/v1/chat/completions", json=asked)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache, no-transform"
    assert answer.headers["x-accel-buffering"] == "no"
    assert "content-encoding" not in answer.headers
    lines = answer.text.split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]
    assert all(line.startswith("data: {") for line in lines[:-2])
    assert all(chunk.keys() >= {"id", "object", "created", "model", "choices"} for chunk in chunks)
    assert [chunk["usage"] is None for chunk in chunks] == [True] * (len(chunks) - 1) + [False]
