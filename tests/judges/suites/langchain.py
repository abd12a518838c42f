"""LangChain's standard tests of a chat model, with its client of OpenAI: over the chat API, and over responses."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.integration_tests import chat_models as theirs
from PIL import Image


@pytest.fixture(autouse=True)
def _no_download() -> Iterator[None]:
    """The tests with a picture fetch one from the network; here is another."""
    picture = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(picture, "PNG")
    with patch.object(theirs.httpx, "get", lambda *_, **__: SimpleNamespace(content=picture.getvalue())):
        yield


class TestChatApi(ChatModelIntegrationTests):
    """Over `/v1/chat/completions`."""

    @property
    def chat_model_class(self) -> type[ChatOpenAI]:
        return ChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        base_url = os.environ["GATEWAY_URL"] + "/v1"
        params = {"model": "gpt-6.1-sol", "base_url": base_url, "api_key": "any", "stream_usage": True}
        # Without the word the client takes responses for a model of this name that has tools.
        return {**params, "use_responses_api": False}

    @property
    def supports_image_inputs(self) -> bool:
        return True

    @property
    def supports_image_tool_message(self) -> bool:
        return True

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        return "gpt-5.5"

    @property
    def supported_usage_metadata_details(self) -> dict[str, list[str]]:
        return {way: ["reasoning_output", "cache_read_input"] for way in ("invoke", "stream")}

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> AIMessage:
        return self._answer("think it over", stream=stream)

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        return self._answer("say hello", stream=stream)

    def _answer(self, text: str, *, stream: bool) -> AIMessage:
        model = ChatOpenAI(**self.chat_model_params)
        if not stream:
            return model.invoke(text)
        first, *others = model.stream(text)
        for each in others:
            first += each
        return first


class TestResponsesApi(TestChatApi):
    """Over `/v1/responses`."""

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {**super().chat_model_params, "use_responses_api": True}
