"""What goes wrong, as the official client meets it: the right class of error, and as many requests as that is worth."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openai
import pytest

from codex_server_cli.demo.codex_home import write_chatgpt_login, write_custom_provider
from codex_server_cli.demo.scripted_model import ScriptedModel
from codex_server_cli.gateway.openai import chat, chat_answer
from tests.gateway.openai.conftest import running
from tests.kit.cases import in_full
from tests.kit.chat_gateway import ChatGateway
from tests.kit.chat_model import ChatModel
from tests.kit.support import NO_EXTRAS, codex_binaries, wait_until

MODEL = "gpt-5.5"
_BINARIES = codex_binaries()


def user(text: str) -> Any:
    return {"role": "user", "content": text}


def is_quiet(chats: ChatGateway) -> bool:
    """Whether no turn runs."""
    return not chats.loaded_turns()


def error_of(client: openai.OpenAI, text: str, *, is_stream: bool = False, **more: Any) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as raised:
        client.chat.completions.create(model=MODEL, messages=[user(text)], stream=is_stream, **more)
    return raised.value


@pytest.mark.parametrize("is_stream", [True, in_full(False)], ids=["stream", "whole"])
@pytest.mark.parametrize(
    ("failure", "kind", "code"),
    [
        ("usage_limit", openai.RateLimitError, "usage_limit_reached"),
        ("rate_limited", openai.RateLimitError, "rate_limit_exceeded"),
        ("unauthorized", openai.AuthenticationError, "codex_login_required"),
        ("context_window", openai.BadRequestError, "context_length_exceeded"),
        ("overloaded", openai.InternalServerError, "overloaded"),
        ("server_error", openai.InternalServerError, "upstream_error"),
    ],
)
def test_a_failure_of_the_service_has_its_status_before_the_first_byte(
    client: openai.OpenAI, rules: ChatModel, failure: str, kind: type[Exception], code: str, *, is_stream: bool
) -> None:
    error = error_of(client, f"fail {failure}", is_stream=is_stream)
    assert isinstance(error, kind)
    assert error.code == code
    assert len(rules.seen) == 1


def test_a_refusal_of_the_service_is_a_400_with_its_own_words(client: openai.OpenAI, rules: ChatModel) -> None:
    rules.refusal = "No such thing."
    error = error_of(client, "refuse")
    assert isinstance(error, openai.BadRequestError)
    assert "No such thing." in error.message


def test_retries_of_the_client_are_spared_where_they_are_no_use(chats: ChatGateway, rules: ChatModel) -> None:
    with chats.client(max_retries=2) as client:
        error_of(client, "fail server_error")
    assert len(rules.seen) == 1


def test_a_stream_that_breaks_says_so(client: openai.OpenAI, rules: ChatModel) -> None:
    stream = client.chat.completions.create(model=MODEL, messages=[user("cut half an answer")], stream=True)
    said: list[str] = []
    with pytest.raises(openai.APIError) as raised:
        said.extend(chunk.choices[0].delta.content or "" for chunk in stream)
    assert "".join(said) == "half an answer"
    assert raised.value.code == "upstream_disconnected"


def test_a_wrong_request_is_a_400_that_names_the_parameter(client: openai.OpenAI, rules: ChatModel) -> None:
    error = error_of(client, "say a", n=2)
    assert (error.status_code, error.param) == (400, "n")
    error = error_of(client, "say a", tools=[{"type": "function", "function": {"name": "a b"}}])
    assert (error.status_code, error.param) == (400, "tools[0].function.name")
    assert rules.seen == []


@pytest.mark.parametrize("is_stream", [True, in_full(False)], ids=["stream", "whole"])
def test_a_kill_of_the_app_server_ends_each_request_and_the_next_one_works(
    chats: ChatGateway, client: openai.OpenAI, rules: ChatModel, *, is_stream: bool
) -> None:
    kept = client.chat.completions.create(model=MODEL, messages=[user("say one")]).choices[0].message
    gate = rules.close_gate()

    def ask() -> tuple[str, bool]:
        with pytest.raises(openai.APIError) as raised:
            for _ in client.chat.completions.create(model=MODEL, messages=[user("hold")], stream=is_stream):
                pass
        error = raised.value
        if isinstance(error, openai.APIStatusError):  # not a stream that had begun
            return str(error.code), error.response.headers["x-should-retry"] == "false"
        return str(error.code), True

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(ask) for _ in range(4)]
        wait_until(lambda: len(rules.seen) == 5, what="four requests at the model")
        os.kill(chats.app_server_pid, signal.SIGKILL)
        assert [each.result() for each in asked] == [("codex_unavailable", True)] * 4
    gate.open()
    began = time.monotonic()
    messages: list[Any] = [user("say one"), kept, user("say two")]
    answer = client.chat.completions.create(model=MODEL, messages=messages)
    assert answer.choices[0].message.content == "two"
    assert time.monotonic() - began < 60


def test_a_turn_whose_answer_cannot_be_written_is_ended(
    chats: ChatGateway, rules: ChatModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("a defect")

    gate = rules.close_gate()
    monkeypatch.setattr(chat, "ChunkWriter", fail)
    with chats.http() as http:
        answer = http.post("/v1/chat/completions", json={"model": MODEL, "messages": [user("hold")]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    wait_until(lambda: not chats.loaded_turns(), what="the end of its turn")
    gate.open()
    assert [str(defect) for defect in chats.log.defects] == ["a defect"]
    chats.log.defects.clear()


@pytest.fixture(scope="module", params=[path for _, path in _BINARIES], ids=[label for label, _ in _BINARIES])
def accounts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChatGateway]:
    """A gateway whose Codex is in ChatGPT mode."""

    def write_home(home: Path, model: ScriptedModel) -> None:
        write_chatgpt_login(home, model.origin, features={"plugins": False, "shell_snapshot": False})

    yield from running(tmp_path_factory.mktemp("accounts"), request.param, write_home=write_home)


def test_an_account_is_answered_and_its_models_are_checked(accounts: ChatGateway) -> None:
    accounts.rules.forget()
    with accounts.client() as client:
        messages: list[Any] = [user("say hello")]
        assert client.chat.completions.create(model=MODEL, messages=messages).choices[0].message.content == "hello"
        with pytest.raises(openai.NotFoundError) as raised:
            client.chat.completions.create(model="gpt-4o", messages=messages)
        assert raised.value.code == "model_not_found"
        assert MODEL in raised.value.message
        with pytest.raises(openai.BadRequestError) as wrong:
            client.chat.completions.create(model=MODEL, messages=messages, reasoning_effort="minimal")
        assert wrong.value.param == "reasoning_effort"
    assert accounts.rules.problems == []


def test_a_used_up_limit_says_when_it_ends(accounts: ChatGateway) -> None:
    with accounts.client(max_retries=2) as client:
        accounts.rules.forget()
        error = error_of(client, "fail usage_limit")
    assert error.code == "usage_limit_reached"
    assert len(accounts.rules.seen) == 1


@pytest.mark.full
def test_without_a_login_nothing_is_asked(tmp_path: Path, one_codex: Path) -> None:
    def write_home(home: Path, model: ScriptedModel) -> None:
        write_chatgpt_login(home, model.origin, features={"plugins": False, "shell_snapshot": False})
        (home / "auth.json").unlink()

    for chats in running(tmp_path, one_codex, write_home=write_home):
        with chats.client() as client:
            error = error_of(client, "say hello")
            assert isinstance(error, openai.AuthenticationError)
            assert error.code == "codex_login_required"
        assert chats.rules.seen == []


@pytest.mark.parametrize("is_stream", [True, in_full(False)], ids=["stream", "whole"])
def test_a_model_that_breaks_off_again_and_again_is_given_up_after_two_retries(
    tmp_path: Path, one_codex: Path, *, is_stream: bool
) -> None:
    def write_home(home: Path, model: ScriptedModel) -> None:
        write_custom_provider(home, model.base_url, model=MODEL, stream_max_retries=5, features=NO_EXTRAS)

    for chats in running(tmp_path, one_codex, write_home=write_home):
        with chats.client(max_retries=2) as client:
            error = error_of(client, "drop", is_stream=is_stream)
        assert (error.status_code, error.code) == (502, "upstream_disconnected")
        assert error.response.headers["x-should-retry"] == "false"
        wait_until(partial(is_quiet, chats), what="the end of the turn")
        assert len(chats.rules.seen) <= 3


@pytest.mark.full
@pytest.mark.version_free
def test_a_stream_of_a_model_that_thinks_for_long_begins_after_ten_seconds(
    chats: ChatGateway, client: openai.OpenAI, rules: ChatModel
) -> None:
    gate = rules.close_gate()
    began = time.monotonic()
    stream = client.chat.completions.create(model=MODEL, messages=[user("wait")], stream=True)
    assert 9 < time.monotonic() - began < 60
    gate.open()
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "at last"


def test_an_answer_that_takes_too_long_is_ended(
    chats: ChatGateway, client: openai.OpenAI, rules: ChatModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_answer, "_LONGEST_S", 0.5)
    gate = rules.close_gate()
    error = error_of(client, "hold")
    assert (error.status_code, error.code) == (504, "deadline")
    wait_until(lambda: not chats.loaded_turns(), what="the end of the turn")
    gate.open()


def test_an_answer_goes_on_where_the_clock_is_set(
    client: openai.OpenAI, rules: ChatModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = rules.close_gate()
    stream = client.chat.completions.create(model=MODEL, messages=[user("hold")], stream=True)
    next(stream)
    tomorrow = time.time() + 86_400
    monkeypatch.setattr(chat_answer, "time", SimpleNamespace(monotonic=time.monotonic, time=lambda: tomorrow))
    gate.open()
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream).endswith("end")


def test_a_home_that_cannot_be_written_is_said(tmp_path: Path, one_codex: Path) -> None:
    for chats in running(tmp_path, one_codex):
        place = chats.server.home / "gateway"
        place.write_text("in the way")
        with chats.client() as client:
            error = error_of(client, "say a")
            assert (error.status_code, str(place) in error.message) == (507, True)
            place.unlink()
            messages: list[Any] = [user("say a")]
            assert client.chat.completions.create(model=MODEL, messages=messages).choices[0].message.content == "a"
            (place / "empty").rmdir()
            assert client.chat.completions.create(model=MODEL, messages=messages).choices[0].message.content == "a"
