"""A pytest plugin for the client's own tests of responses, which ask for nothing, and read a response of the manual.

It gives a request without an input one, and puts a response that exists in the place of that: one in the background,
so that it can be streamed again and cancelled.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
from openai import OpenAI
from openai._base_client import BaseClient
from openai._models import FinalRequestOptions

_OF_THE_MANUAL = "resp_677efb5139a88190b512bc3fef8e535d"
_ASKED: dict[str, Any] = {"model": "gpt-6.1-sol", "input": "say hello"}
_BACKGROUND = {**_ASKED, "input": "say hello in the background"}
_build = BaseClient._build_request


@functools.cache
def _to_read() -> str:
    return _made()


def _made() -> str:
    """A response in the background that has come to its end."""
    with OpenAI(base_url=os.environ["TEST_API_BASE_URL"] + "/v1", api_key="any") as client:
        *_, last = client.responses.create(**_BACKGROUND, background=True, stream=True)
    assert last.type == "response.completed"
    return last.response.id


def _build_request(client: BaseClient[Any, Any], options: FinalRequestOptions, **more: Any) -> object:
    given: Any = options.json_data or {}
    if options.url == "/responses" and "input" not in given:
        options.json_data = {**_ASKED, **given}
    if _OF_THE_MANUAL in options.url:
        existing = _to_read() if options.method == "get" else _made()
        options.url = options.url.replace(_OF_THE_MANUAL, existing)
    return _build(client, options, **more)


@pytest.fixture(autouse=True)
def _existing() -> Iterator[None]:
    with patch.object(BaseClient, "_build_request", _build_request):
        yield
