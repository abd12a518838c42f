"""`codex-chat`: one detached turn and its answer. Owns its input and document; `turns.consent` its permissions."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from codex_server_cli.actions.control.control import cancel
from codex_server_cli.actions.control.prepare import Worker
from codex_server_cli.actions.read import read
from codex_server_cli.actions.read.feed import Turn
from codex_server_cli.actions.start import start
from codex_server_cli.actions.start.options import StartOptions
from codex_server_cli.actions.start.threads import choose_by_id
from codex_server_cli.core.model.request import Sandbox
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.errors import CodexServerError, ErrorKind
from codex_server_cli.gateway.errors import client_gone
from codex_server_cli.gateway.http_answers import error_document, json_answer, shielded, until_gone
from codex_server_cli.gateway.state import Gateway
from codex_server_cli.gateway.turns.face import TurnsFace
from codex_server_cli.gateway.turns.starter import Starter

TURN_STATUS: dict[str, int] = {
    ErrorKind.AUTH: 401,
    ErrorKind.USAGE_LIMIT: 429,
    ErrorKind.RATE_LIMIT: 429,
    ErrorKind.BAD_INPUT: 400,
    ErrorKind.BAD_REQUEST: 400,
    ErrorKind.CONTEXT_WINDOW: 400,
    ErrorKind.OVERLOADED: 503,
}
INPUT = {"prompt": str, "thread_id": str, "model": str, "effort": str, "write": bool}


class ChatCall:
    """The `codex-chat` calls of one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway, self._face = gateway, gateway.shared(TurnsFace)
        self._starter = gateway.shared(Starter)

    async def post(self, request: Request, given: dict[str, Any]) -> Response:
        """Start a turn and respond when it ends; if the client disconnects before, the turn is cancelled."""
        for name, value in given.items():
            if value is not None and not isinstance(value, INPUT.get(name, ())):
                known = ", ".join(INPUT)
                message = f"`input.{name}` is not known, or of a wrong type; codex-chat takes {known}"
                raise ApiError(400, message, code="invalid_input", param=f"input.{name}")
        chatting = asyncio.ensure_future(
            self._chat({name: value for name, value in given.items() if value is not None})
        )
        view = await until_gone(request, shielded(chatting))
        if view is None:
            chatting.cancel()
            raise client_gone()
        return _answer(view)

    async def _chat(self, given: dict[str, Any]) -> TurnView:
        """Run a turn; cancellation cancels the turn."""
        async with self._gateway.admission.stream():
            beginning = asyncio.ensure_future(self._begin(given))
            try:
                return await self._end(await asyncio.shield(beginning))
            except asyncio.CancelledError:
                if not self._gateway.is_stopping:  # at shutdown turns go on
                    self._gateway.task(self._cancel(beginning))
                raise

    async def _begin(self, given: dict[str, Any]) -> Turn:
        """Start the turn.

        Raises:
            ApiError: it asks for more than it may do, or its thread may not be continued from here.
            CodexServerError: it cannot start.
        """
        sandbox = Sandbox.WORKSPACE_WRITE if given.get("write") else None
        asked = StartOptions(
            given.get("prompt", ""), model=given.get("model"), effort=given.get("effort"), sandbox=sandbox
        )
        options = await self._face.look(self._face.consent.checked, asked)
        settings, thread_id = self._gateway.settings, given.get("thread_id")

        def begin(worker: Worker) -> start.Started:
            if thread_id is None:
                return start.new(settings, options._replace(cwd=self._face.consent.cwd), worker)
            choice = choose_by_id(settings, thread_id, None)
            self._starter.check_thread(choice, options)
            return start.go_on(settings, options, worker, choice, is_fork=False)

        started = await self._starter.launch(begin)
        return await self._face.look(read.find, settings, started.view.turn_id, None)

    async def _end(self, turn: Turn) -> TurnView:
        async with self._face.hub.feed(turn, has_ended=False) as feed:
            await feed.end()
            if feed.is_cut:
                message = f"this gateway is shutting down; the turn goes on: GET /turns/{turn.turn_id}"
                raise ApiError(503, message, type="server_error", code="gateway_stopping")
        return await self._face.act(read.status_after_repair, turn)

    async def _cancel(self, beginning: asyncio.Future[Turn]) -> None:
        """Cancel a turn, which may still be starting."""
        with suppress(CodexServerError, ApiError):  # then no turn was started
            await self._face.act(cancel, [await beginning])


def _answer(view: TurnView) -> Response:
    document = {"answer": view.answer, "thread_id": view.thread_id, "turn_id": view.turn_id, "state": str(view.state)}
    if view.state is State.COMPLETE:
        return json_answer(document)
    error = view.error or {}
    kind = str(error.get("kind") or "internal")
    wrong = error_document(
        str(error.get("message") or kind), type="turn_failed", code=kind, hint=str(error.get("hint") or "")
    )
    return json_answer(document | wrong, TURN_STATUS.get(kind, 502))
