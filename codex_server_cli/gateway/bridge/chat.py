"""`codex-chat`: one detached turn, and its answer. Owns what it may do on this machine, and its document."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import Any

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import Response

from codex_server_cli.actions import conversation
from codex_server_cli.actions.control.control import cancel
from codex_server_cli.actions.read.read import status
from codex_server_cli.actions.start.options import StartOptions, ThreadChoice
from codex_server_cli.actions.start.threads import choose_by_id
from codex_server_cli.core.model.request import Sandbox
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.errors import CodexServerError, ErrorKind
from codex_server_cli.gateway.answers import error_document, json_answer, until_gone
from codex_server_cli.gateway.state import Gateway

_STATUS: dict[str, int] = {
    ErrorKind.AUTH: 401,
    ErrorKind.USAGE_LIMIT: 429,
    ErrorKind.RATE_LIMIT: 429,
    ErrorKind.BAD_INPUT: 400,
    ErrorKind.BAD_REQUEST: 400,
    ErrorKind.CONTEXT_WINDOW: 400,
    ErrorKind.OVERLOADED: 503,
}
_INPUT = {"prompt": str, "thread_id": str, "model": str, "effort": str}


class ChatCall:
    """The chat of one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway, self._cwd = gateway, os.path.realpath(gateway.options.cwd)
        self._threads: CapacityLimiter | None = None

    async def post(self, request: Request, given: dict[str, Any]) -> Response:
        """Start a turn and answer with its end; a client that leaves before has it cancelled."""
        for name, value in given.items():
            if value is not None and not isinstance(value, _INPUT.get(name, ())):
                known = ", ".join(_INPUT)
                message = f"`input.{name}` is not known, or no text; codex-chat takes {known}"
                raise ApiError(400, message, code="invalid_input", param=f"input.{name}")
        chatting = asyncio.ensure_future(
            self._chat({name: value for name, value in given.items() if value is not None})
        )

        async def finished() -> TurnView:
            return await asyncio.shield(chatting)

        view = await until_gone(request, finished())
        if view is None:
            chatting.cancel()
            raise ApiError(499, "the client has left", code="client_gone")
        return _answer(view)

    async def _chat(self, given: dict[str, str]) -> TurnView:
        """Run a turn; cancelled, it cancels the turn."""
        limiter = self._threads = self._threads or CapacityLimiter(self._gateway.options.most_streams)
        async with self._gateway.admission.stream():
            beginning = asyncio.ensure_future(to_thread.run_sync(self._begin, given, limiter=limiter))
            try:
                turn = await asyncio.shield(beginning)
                return await to_thread.run_sync(_follow, turn, limiter=limiter, abandon_on_cancel=True)
            except asyncio.CancelledError:
                if not self._gateway.is_stopping:  # at its end turns go on
                    self._gateway.task(_cancel(beginning))
                raise

    def _begin(self, given: dict[str, str]) -> conversation.ChatTurn:
        settings, options = self._gateway.settings, self._gateway.options
        choice = None
        if "thread_id" in given:
            choice = choose_by_id(settings, given["thread_id"], None)
            self._check(choice)
        asked = StartOptions(
            given.get("prompt", ""),
            cwd=options.cwd if choice is None else None,
            model=given.get("model"),
            effort=given.get("effort"),
            sandbox=Sandbox.WORKSPACE_WRITE if options.may_write else Sandbox.READ_ONLY,
        )
        return conversation.begin(settings, asked, choice)

    def _check(self, choice: ThreadChoice) -> None:
        """Refuse a thread that works elsewhere.

        Raises:
            ApiError: so it does.
        """
        place = os.path.realpath(choice.cwd or "/")
        if not self._gateway.options.has_raw_rpc and not f"{place}/".startswith(f"{self._cwd.rstrip('/')}/"):
            message = f"this thread works outside of {self._cwd}, which this gateway serves: see `serve --cwd`"
            raise ApiError(403, message, type="permission_error", code="not_let_through", param="input.thread_id")


async def _cancel(beginning: asyncio.Future[conversation.ChatTurn]) -> None:
    """Cancel a turn, which may only be beginning."""
    with suppress(CodexServerError):  # there is none, then
        turn = await beginning
        await to_thread.run_sync(cancel, [turn.directory])
        await to_thread.run_sync(_follow, turn)


def _follow(turn: conversation.ChatTurn) -> TurnView:
    """In a thread: wait for the end of a turn, and reap its worker."""
    for _ in turn.follow():
        continue
    return status(turn.directory)


def _answer(view: TurnView) -> Response:
    document = {"answer": view.answer, "thread_id": view.thread_id, "turn_id": view.turn_id, "state": str(view.state)}
    if view.state is State.COMPLETE:
        return json_answer(document)
    error = view.error or {}
    kind = str(error.get("kind") or "internal")
    wrong = error_document(
        str(error.get("message") or kind), type="turn_failed", code=kind, hint=str(error.get("hint") or "")
    )
    return json_answer(document | wrong, _STATUS.get(kind, 502))
