"""`POST /v1/chat/completions`: the request, and the form of the response. `exchange` does what is between."""

from __future__ import annotations

import secrets
import time
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from codex_server_cli.core.openai.answer.content import Content
from codex_server_cli.core.openai.answer.outputs import Output
from codex_server_cli.core.openai.chat_chunks import DONE, ChatHead, ChunkWriter, completion
from codex_server_cli.core.openai.chat_request import ChatRequest
from codex_server_cli.core.openai.chat_run import ChatRun
from codex_server_cli.gateway.http_answers import error_data
from codex_server_cli.gateway.openai.asked import read_understood, understood
from codex_server_cli.gateway.openai.chat_memory import ChatMemory
from codex_server_cli.gateway.openai.exchange import answer


async def answer_chat(state: ChatMemory, request: Request) -> Response:
    """Answer a chat completion request.

    Raises:
        ApiError, UpstreamGone: before the first byte.
    """
    asked = await read_understood(request, lambda body: understood(body, state.gateway.options))
    return await answer(state, asked, request, partial(_ChatForm, asked.request))


class _ChatForm:
    """The form of one chat completion; see `AnswerForm`."""

    def __init__(self, request: ChatRequest, model: str) -> None:
        self._head = ChatHead(f"chatcmpl-{secrets.token_hex(16)}", int(time.time()), model)
        self._writer = ChunkWriter(self._head, request)
        self.content = Content(request)

    def begin(self) -> bytes:
        """See `ChunkWriter`."""
        return self._writer.begin()

    def write(self, output: Output) -> bytes:
        """See `ChunkWriter`."""
        return self._writer.write(output)

    def document(self, run: ChatRun) -> dict[str, Any]:
        """The completion document."""
        return completion(self._head, self.content, run)

    def failure_events(self, error: Exception) -> bytes:
        """The error, and the end marker of the stream."""
        return error_data(error) + DONE
