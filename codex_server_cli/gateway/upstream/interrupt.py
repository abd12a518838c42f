"""Interrupting a turn: the request is repeated until the app-server knows the turn, or the turn is over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from codex_server_cli.gateway.upstream.connection import UpstreamConnection, UpstreamError

PAUSE_S = 0.1
_TRIES = 30
_CALL_S = 10.0
_NOT_ACTIVE = "no active turn"


async def _pause() -> None:
    await asyncio.sleep(PAUSE_S)


async def interrupt_turn(
    connection: UpstreamConnection,
    thread_id: str,
    turn_id: str,
    *,
    is_over: Callable[[], bool] = lambda: False,
    pause: Callable[[], Awaitable[None]] = _pause,
) -> None:
    """Interrupt a turn. An error that the app-server answers with is ignored.

    Between the reply to `turn/start` and `turn/started` it knows no active turn (under load for a while), although it
    does ask the model. So the request is retried for some seconds.

    Args:
        is_over: whether the turn has ended, so that no request is needed.
        pause: waits between two attempts.

    Raises:
        UpstreamGone: the connection was lost, or no answer came in time.
    """
    for _ in range(_TRIES):
        if is_over():
            return
        try:
            await connection.call("turn/interrupt", {"threadId": thread_id, "turnId": turn_id}, timeout_s=_CALL_S)
        except UpstreamError as error:
            if _NOT_ACTIVE not in error.message:  # the thread is gone, or another turn is active
                return
        else:
            return
        await pause()
