"""`POST /v1/responses`: the request, what it continues, the form of the answer. `exchange` does what is between."""

from __future__ import annotations

import secrets
import time
from functools import partial
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from codex_server_cli.core.openai.answer.outputs import Failed, Finish, Output
from codex_server_cli.core.openai.chat_run import ChatRun
from codex_server_cli.core.openai.refusal import ApiError, invalid
from codex_server_cli.core.openai.responses.content import ResponseContent
from codex_server_cli.core.openai.responses.document import Json, ResponseHead
from codex_server_cli.core.openai.responses.parameters import is_background, own_name
from codex_server_cli.core.openai.responses.request import Remembered, ResponsesRequest, parse_response_request
from codex_server_cli.core.openai.responses.writer import ResponseWriter
from codex_server_cli.gateway.bodies import room_of
from codex_server_cli.gateway.http_answers import read_json, refusal_of
from codex_server_cli.gateway.openai.asked import LONG_CHARACTERS, Asked, asked_by, beside
from codex_server_cli.gateway.openai.exchange import answer
from codex_server_cli.gateway.responses.face import ResponsesFace
from codex_server_cli.gateway.responses.memory import SEED_CHARACTERS, ReferredItems, RememberedResponse, size_of


class AskedResponse(NamedTuple):
    """A parsed request.

    Attributes:
        response: the request.
        asked: the same in the form that threads use.
        before: the response that it continues.
        input_size: the size of what it adds to the conversation.
    """

    response: ResponsesRequest
    asked: Asked
    before: RememberedResponse | None
    input_size: int


async def create(face: ResponsesFace, request: Request) -> Response:
    """Answer a request for a response.

    Raises:
        ApiError, UpstreamGone: before the first byte.
    """
    body = await read_json(request, may_have_halves=True)
    try:
        if is_background(body):
            return await face.background.create(request, body)
        before = await before_in(face, request, body)
        asked = await beside(request, partial(_understood, face, body, before), is_long=_is_long(body, before))
        return await answer(face.chats, asked.asked, request, partial(_ResponseForm, face, asked))
    except ApiError as error:
        error.param = own_name(error.param)
        raise


async def before_in(face: ResponsesFace, request: Request, body: Any) -> RememberedResponse | None:
    """The response that a request continues.

    Raises:
        ApiError: 400, it is not remembered; 503, there is not enough memory to read it now.
    """
    response_id = body.get("previous_response_id") if isinstance(body, dict) else None
    if response_id is None or response_id == "":
        return None
    found = face.memory.get(response_id) if isinstance(response_id, str) else None
    if found is None and isinstance(response_id, str):
        found = await face.background.remembered(response_id)
        room_of(request).take(request.scope, found.all_characters if found is not None else 0)
    if found is None:
        message = (
            f"Previous response with id {str(response_id)[:80]!r} not found. Responses are remembered as long as there"
            " is room and the gateway runs; send the whole conversation as `input`."
        )
        raise invalid(message, "previous_response_id", "previous_response_not_found")
    return found


def _is_long(body: Any, before: RememberedResponse | None) -> bool:
    """Whether what a request continues is long, or what it refers to may be."""
    listed = body.get("input") if isinstance(body, dict) else None
    refers = isinstance(listed, list) and any(isinstance(item, dict) and "id" in item for item in listed)
    return refers or (before is not None and before.all_characters >= LONG_CHARACTERS)


def _understood(face: ResponsesFace, body: Any, before: RememberedResponse | None) -> AskedResponse:
    options = face.gateway.options
    find = ReferredItems(face.memory, before).find
    remembered = Remembered(before.conversation() if before else (), find)
    response = parse_response_request(
        body, aliases=options.model_aliases, is_strict=options.is_strict, remembered=remembered
    )
    return AskedResponse(response, asked_by(response.chat, response.name), before, size_of(response.items))


class _ResponseForm:
    """The form of one Response; see `AnswerForm`."""

    def __init__(self, face: ResponsesFace, asked: AskedResponse, model: str) -> None:
        self._face, self._asked = face, asked
        response, seed = asked.response, secrets.token_hex(SEED_CHARACTERS // 2)
        head = ResponseHead(f"resp_{seed}", int(time.time()), model, response.echoed)
        self.content = ResponseContent(response.chat, seed, has_encrypted=response.has_encrypted)
        self._writer = ResponseWriter(head, self.content, response.previous_response_id)

    def begin(self) -> bytes:
        """See `ResponseWriter`."""
        return self._writer.begin()

    def write(self, output: Output) -> bytes:
        """See `ResponseWriter`. Remembers the response before the client knows that it is complete."""
        if isinstance(output, Failed):
            output.error.param = own_name(output.error.param)
        data = self._writer.write(output, time.time())
        if isinstance(output, Finish) and self._writer.whole is not None:
            self._remember(self._writer.whole)
        return data

    def document(self, run: ChatRun) -> dict[str, Any]:
        """The Response document."""
        whole = self._writer.finish(run.finish or Finish("stop", None), time.time(), run.calls)
        self._remember(whole)
        return whole

    def failure_events(self, error: Exception) -> bytes:
        """The event of a failure."""
        return self.write(Failed(refusal_of(error)[0]))

    def _remember(self, whole: Json) -> None:
        if self._asked.response.is_stored:
            asked, output = self._asked, [*self.content.output(has_encrypted=True), *self._writer.calls]
            items, size = asked.response.items, asked.input_size
            remembered = RememberedResponse(whole, items, output, asked.before, input_size=size)
            self._face.memory.remember(remembered)
