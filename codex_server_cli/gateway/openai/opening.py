"""From a request to a turn that runs: a held one that goes on, one on a kept thread, or one on a fresh thread.

Owns: that choice, and that no thread of a chat can run a command or read a file.
Never here: what the turn's messages mean for the client (`chat_answer`), HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, NamedTuple

from codex_server_cli.core.openai import conversation, thread_terms
from codex_server_cli.core.openai.chat_request import ChatRequest
from codex_server_cli.core.openai.wire_errors import AccountLimits, error_of_refusal
from codex_server_cli.gateway.openai.chat_memory import ChatMemory
from codex_server_cli.gateway.openai.client_thread import ClientThread, ClientTurn
from codex_server_cli.gateway.upstream.connection import UpstreamConnection, UpstreamError
from codex_server_cli.gateway.upstream.wire import UpstreamGone


class Opened(NamedTuple):
    """A turn that runs.

    Attributes:
        limits: of the account that it runs on.
        way: `held`, `kept` or `fresh`: what became of the thread of the request before, and of its prompt cache.
    """

    turn: ClientTurn
    limits: AccountLimits
    way: str


async def open_turn(state: ChatMemory, request: ChatRequest) -> Opened:
    """A running turn that answers a request; who gets it must see that it ends.

    Cancelling this ends the turn that it would have been.

    Raises:
        ApiError: there is no login, no such model; or Codex refuses the request.
        UpstreamGone: the app-server cannot be reached.
    """
    opening = state.gateway.task(_open(state, request))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(lambda done: _end_late(state, done))
        raise


def _end_late(state: ChatMemory, opening: asyncio.Task[Opened]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        state.end_turn(opening.result().turn)


async def _open(state: ChatMemory, request: ChatRequest) -> Opened:
    try:
        try:
            return await _open_once(state, request)
        except UpstreamGone:
            # The app-server may have ended since the connection was used last. Nothing has run, and a new one may do.
            return await _open_once(state, request)
    except UpstreamError as error:
        raise error_of_refusal(error.code, error.message, error.data) from error


async def _open_once(state: ChatMemory, request: ChatRequest) -> Opened:
    backend = await state.backend()
    await backend.check(request)
    if conversation.is_keepable(request):
        if (turn := await _continue_held(state, request)) is not None:
            return Opened(turn, backend.limits, "held")
        if (turn := await _continue_kept(state, request)) is not None:
            return Opened(turn, backend.limits, "kept")
    return Opened(await _start_fresh(state, backend.connection, request), backend.limits, "fresh")


async def _continue_held(state: ChatMemory, request: ChatRequest) -> ClientTurn | None:
    trailing = conversation.trailing_results(request)
    if trailing is None:
        return None
    key = held_key(request, conversation.prefix_keys(request)[trailing.n_before - 1])
    turn = state.held.take(trailing.outputs, key)
    if turn is None:
        return None
    with contextlib.suppress(UpstreamError, UpstreamGone):
        if await turn.is_waiting():
            await turn.thread.inject(trailing.after)  # before the last result, else the model goes on without them
            await turn.give_results(
                {call_id: conversation.tool_result(output) for call_id, output in trailing.outputs.items()}
            )
            return turn
    state.end_turn(turn)
    return None


def held_key(request: ChatRequest, history: str) -> str:
    """The key of a held turn: what it cannot change, and the history up to the calls that it waits for."""
    return f"{conversation.turn_key(request)} {history}"


async def _continue_kept(state: ChatMemory, request: ChatRequest) -> ClientTurn | None:
    found = state.threads.take(conversation.prefix_keys(request))
    if found is None:
        return None
    with contextlib.suppress(UpstreamError, UpstreamGone):
        return await _run(found.thread, request, list(request.items[found.n_items :]))
    state.release_thread(found.thread)
    return None


async def _start_fresh(state: ChatMemory, connection: UpstreamConnection, request: ChatRequest) -> ClientTurn:
    cwd = await state.empty_directory()
    params = thread_terms.thread_start(request, cwd=cwd, instructions=state.gateway.options.instructions)
    servers = await _servers_off(connection, cwd)
    thread = await ClientThread.start(connection, {**params, "config": {**params["config"], **servers}})
    try:
        return await _run(thread, request, state.reasoning.put_before_calls(request.items))
    except BaseException:
        state.release_thread(thread)
        raise


async def _servers_off(connection: UpstreamConnection, cwd: str) -> dict[str, Any]:
    """The configuration that starts none of the user's MCP servers.

    They are programs of this machine, and a tool that says that it only reads is called without approval. Their table
    cannot be replaced by an empty one, only each of them be switched off; so it is asked for before every thread.
    """
    config = (await connection.call("config/read", {"cwd": cwd}))["config"]
    names = config.get("mcp_servers") or {}
    return {"mcp_servers": {name: {"enabled": False} for name in names}} if names else {}


async def _run(thread: ClientThread, request: ChatRequest, items: list[dict[str, Any]]) -> ClientTurn:
    await thread.inject([*items, *request.closing])
    return await thread.start_turn(thread_terms.turn_start(request, thread.id))
