"""The state that all chat completions of one gateway share. Owns the registries, and the release of evicted entries."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anyio import to_thread

from codex_server_cli.core.protocol.rpc import at
from codex_server_cli.errors import HomeError
from codex_server_cli.gateway.login_check import LoginCheck
from codex_server_cli.gateway.openai.anchors import Anchors
from codex_server_cli.gateway.openai.client_thread import ClientThread, ClientTurn
from codex_server_cli.gateway.openai.held_turns import HeldTurns, KeptReasoning
from codex_server_cli.gateway.openai.models import Backend
from codex_server_cli.gateway.openai.threads import StickyThreads
from codex_server_cli.gateway.state import Gateway

_FACE = "openai"
_KINDS = {
    "input": "prompt_tokens",
    "cached_input": "prompt_tokens_details.cached_tokens",
    "output": "completion_tokens",
    "reasoning_output": "completion_tokens_details.reasoning_tokens",
}
"""Token counts, and their paths in a usage."""


class ChatMemory:
    """The state of the chat face.

    Attributes:
        gateway: the process.
        threads: idle threads, for the next request of their conversations.
        held_turns: turns that wait for tool results.
        reasoning: the model's reasoning before its calls.
        anchors: for threads that share a prompt cache.
        login: whether a turn may start.
        server_names: the user's MCP servers when a thread was last started; None before the first one.
    """

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.threads = StickyThreads(self.release_thread)
        self.held_turns = HeldTurns(self.end_turn, deadline_s=gateway.options.hold_s)
        self.reasoning = KeptReasoning()
        self.anchors = Anchors(gateway.settings.home / "gateway" / "anchors")
        self.login = LoginCheck(gateway.settings, str(self._empty))
        self.server_names: frozenset[str] | None = None
        self._backend: Backend | None = None
        gateway.on_stop(self._stop)

    async def backend(self) -> Backend:
        """The connection for new threads, with what is known of the account; raises `UpstreamGone`."""
        connection = await self.gateway.app_server.kept(_FACE)
        if self._backend is None or self._backend.connection is not connection:
            self._backend = Backend(connection)
        return self._backend

    @property
    def _empty(self) -> Path:
        return self.gateway.settings.home / "gateway" / "empty"

    async def empty_directory(self) -> str:
        """The directory in which threads start: ours, private and empty; recreated if it was deleted.

        Raises:
            HomeError: it cannot be created.
        """
        path = self._empty
        if os.path.isdir(path):  # noqa: PTH112 — nearly always, and quicker than another thread; False for what may not be read
            return str(path)
        try:
            await to_thread.run_sync(lambda: path.mkdir(mode=0o700, parents=True, exist_ok=True))
        except OSError as error:
            raise HomeError(f"cannot make {path}: {error.strerror}") from error
        return str(path)

    def release_thread(self, thread: ClientThread) -> None:
        """Release an idle thread, in the background."""
        self.gateway.task(thread.release())

    def end_turn(self, turn: ClientTurn) -> None:
        """Interrupt a turn and release its thread, in the background: a client's disconnect must not stop that."""
        self.gateway.task(turn.interrupt())

    def count(self, usage: Mapping[str, Any] | None) -> None:
        """Count the tokens of an answer."""
        for kind, path in _KINDS.items():
            self.gateway.metrics.tokens.labels(kind).inc(at(usage, path, int) or 0)

    async def _stop(self) -> None:
        self.held_turns.clear()
        self.threads.clear()
