"""From a request to a running turn: a held turn that goes on, a turn on a kept thread, or one on a new thread.

A new thread is forked from the anchor of the request's prompt cache if its answer needs no raw events. Otherwise, or
if the fork fails, it is a fresh one: equally correct, only more expensive.

Owns: that choice, and that no thread of a chat can run a command or read a file.
Never here: the meaning of the turn's messages for the client (`chat_answer`), HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, NamedTuple

from codex_server_cli.codex.login import API_KEY_GUIDE
from codex_server_cli.core.model.payer import judge
from codex_server_cli.core.openai import conversation, thread_terms
from codex_server_cli.core.openai.wire_errors import AccountLimits, error_of_refusal, not_paid_for, turn_in_doubt
from codex_server_cli.core.protocol.rpc import Message, object_at
from codex_server_cli.core.result.failures import is_draining
from codex_server_cli.errors import NotLoggedInError
from codex_server_cli.gateway.openai.asked import Asked
from codex_server_cli.gateway.openai.chat_memory import ChatMemory
from codex_server_cli.gateway.openai.client_thread import ClientThread, ClientTurn, TurnInDoubt
from codex_server_cli.gateway.openai.models import Backend
from codex_server_cli.gateway.upstream.connection import UpstreamConnection, UpstreamError
from codex_server_cli.gateway.upstream.wire import UpstreamGone


class Opened(NamedTuple):
    """A running turn.

    Attributes:
        limits: of its account.
        way: the use of the prompt cache: `held` or `kept` with the previous request's thread, `forked` from the anchor
            that similar requests share, or `fresh`.
    """

    turn: ClientTurn
    limits: AccountLimits
    way: str


async def open_turn(state: ChatMemory, asked: Asked) -> Opened:
    """A running turn that answers a request; the caller must ensure that it ends.

    Cancellation ends the turn.

    Raises:
        ApiError: there is no login, or no such model; Codex refuses the request; or it is unknown whether a turn runs.
        UpstreamGone: the app-server cannot be reached.
    """
    opening = state.gateway.awaited_task(_open(state, asked))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(lambda done: _end_late(state, done))
        raise


def _end_late(state: ChatMemory, opening: asyncio.Task[Opened]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        state.end_turn(opening.result().turn)


async def _open(state: ChatMemory, asked: Asked) -> Opened:
    try:
        try:
            return await _open_once(state, asked)
        except UpstreamGone:
            # The app-server may have ended since the connection was last used. No turn was sent: retry on a new one.
            return await _open_once(state, asked)
        except UpstreamError as error:
            if not is_draining({"data": error.data}):
                raise
            return await _open_once(state, asked)  # on the next generation
    except TurnInDoubt as doubt:
        state.end_turn(doubt.turn)
        raise turn_in_doubt(doubt.reason) from doubt
    except UpstreamError as error:
        raise error_of_refusal(error.code, error.message, error.data) from error
    except NotLoggedInError as error:
        raise not_paid_for(f"{error.message}.", error.hint) from error


async def _open_once(state: ChatMemory, asked: Asked) -> Opened:
    may_bill = await state.login.check()
    backend = await state.backend()
    await backend.check(asked.request)
    if conversation.is_keepable(asked.request):
        if (turn := await _continue_held(state, asked)) is not None:
            return Opened(turn, backend.limits, "held")
        if (turn := await _continue_kept(state, asked)) is not None:
            return Opened(turn, backend.limits, "kept")
    turn, way = await _start_new(state, backend, asked, may_bill=may_bill)
    return Opened(turn, backend.limits, way)


async def _continue_held(state: ChatMemory, asked: Asked) -> ClientTurn | None:
    trailing = conversation.trailing_results(asked.request)
    if trailing is None:
        return None
    key = held_key(asked.history, asked.history.prefix_keys()[trailing.n_before - 1])
    turn = state.held_turns.take(trailing.outputs, key)
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


def held_key(history: conversation.History, key: str) -> str:
    """The key of a held turn: its fixed settings, and the history up to the calls that it waits for."""
    return f"{history.turn} {key}"


async def _continue_kept(state: ChatMemory, asked: Asked) -> ClientTurn | None:
    found = state.threads.take(asked.history.prefix_keys())
    if found is None:
        return None
    thread, request = found.thread, asked.request
    with contextlib.suppress(UpstreamError, UpstreamGone):
        await thread.inject_while_idle([*request.items[found.n_items :], *request.closing])
        return await thread.start_turn(thread_terms.turn_start(request, thread.id))
    state.release_thread(thread)
    return None


async def _start_new(state: ChatMemory, backend: Backend, asked: Asked, *, may_bill: bool) -> tuple[ClientTurn, str]:
    """A turn on a new thread without any of the user's MCP servers, and how the thread was made.

    MCP servers are programs on this machine, and a tool that declares itself read-only is called without approval.
    Their table cannot be replaced by an empty one: each server must be switched off by name, and Codex refuses unknown
    names. So a thread starts without the servers known from last time. Before the model is asked they are read again:
    if there are others now, the thread is discarded. It is also discarded if it would bill an account without consent.
    """
    connection = backend.connection
    cwd, request = await state.empty_directory(), asked.request
    items = [*state.reasoning.put_before_calls(request.items, asked.history.reasoning_keys()), *request.closing]
    names = state.server_names
    if names is None:
        names = _servers_in(await _config(connection, cwd))
    while True:
        try:
            thread, way = await _new_thread(state, backend, asked, cwd, names)
        except UpstreamError:
            now = _servers_in(await _config(connection, cwd))
            if now == names:
                raise
        else:
            try:
                _, config = await asyncio.gather(thread.inject_while_idle(items), _config(connection, cwd))
                state.server_names = now = _servers_in(config)
                if not may_bill:
                    _check_payer(thread.provider, config, dict(thread_terms.LEAN), backend.account)
                if now <= names:
                    return await thread.start_turn(thread_terms.turn_start(request, thread.id)), way
            except TurnInDoubt:  # interrupted first
                raise
            except BaseException:
                state.release_thread(thread)
                raise
            state.release_thread(thread)
        names = now


async def _new_thread(
    state: ChatMemory, backend: Backend, asked: Asked, cwd: str, off: frozenset[str]
) -> tuple[ClientThread, str]:
    """A thread without these MCP servers, and how it was made; raises `UpstreamError`, `UpstreamGone`."""
    can_fork = True
    if backend.can_fork and not asked.request.needs_raw_items:
        try:
            return await _fork(state, backend.connection, asked, cwd, off), "forked"
        except UpstreamError:  # a Codex that forks differently, or not at all: the client gets its answer all the same
            can_fork = False
        except OSError:  # no space for the file; next time there may be some
            pass
    params = thread_terms.thread_start(asked.request, cwd=cwd, instructions=state.gateway.options.instructions)
    thread = await _started(state, backend.connection, asked, "thread/start", _without(params, off))
    backend.can_fork = backend.can_fork and can_fork
    return thread, "fresh"


async def _fork(
    state: ChatMemory, connection: UpstreamConnection, asked: Asked, cwd: str, off: frozenset[str]
) -> ClientThread:
    anchor = state.anchors.id_of(asked.history.anchor)
    async with state.anchors.file(anchor, cwd) as path:
        instructions = state.gateway.options.instructions
        params = thread_terms.thread_fork(asked.request, anchor=anchor, path=path, cwd=cwd, instructions=instructions)
        return await _started(state, connection, asked, "thread/fork", _without(params, off))


async def _started(
    state: ChatMemory, connection: UpstreamConnection, asked: Asked, method: str, params: dict[str, Any]
) -> ClientThread:
    own = await state.gateway.app_server.connect() if asked.is_large else None
    return await ClientThread.start(own or connection, params, method=method, owns_connection=own is not None)


def _without(params: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """The parameters of `thread/start`, with these MCP servers switched off."""
    off = {"mcp_servers": {name: {"enabled": False} for name in names}} if names else {}
    return {**params, "config": {**params["config"], **off}}


def _check_payer(provider: str | None, config: Message, overrides: Message, account: Message) -> None:
    problem = judge(provider, config, overrides, account).problem
    if problem:
        raise not_paid_for(problem, API_KEY_GUIDE)


async def _config(connection: UpstreamConnection, cwd: str) -> Message:
    return object_at(await connection.call("config/read", {"cwd": cwd}), "config")


def _servers_in(config: Message) -> frozenset[str]:
    return frozenset(object_at(config, "mcp_servers"))
