"""The state that all faces of one gateway share beyond a request. Owns the background tasks and the shutdown."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from codex_server_cli.gateway.admission import Admission
from codex_server_cli.gateway.http_answers import DEFECT, refusal_of
from codex_server_cli.gateway.metrics import Metrics
from codex_server_cli.gateway.options import ServeOptions
from codex_server_cli.gateway.upstream.app_server import UpstreamServer
from codex_server_cli.settings.places import Settings

T = TypeVar("T")
_LAST_TASKS_S = 3.0
"""For background tasks at shutdown, such as interrupts."""


class Gateway:
    """One running `serve`.

    Attributes:
        settings, options: as given at the start.
        app_server: connections to its app-server.
        admission: admits streams, or queues them.
        metrics: the counters.
        tell_defect: called with each internal error of a background task.
        stopping: set by SIGTERM: no new work is taken; endless streams end themselves.
    """

    def __init__(
        self, settings: Settings, options: ServeOptions, tell_defect: Callable[[BaseException], None] = lambda _: None
    ) -> None:
        self.settings, self.options, self.tell_defect = settings, options, tell_defect
        self.metrics = Metrics()
        self.app_server = UpstreamServer(settings, self.metrics)
        self.admission = Admission(options.most_streams, self.metrics)
        self.stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._at_stop: list[Callable[[], Awaitable[None]]] = []
        self._shared: dict[Any, Any] = {}

    def shared(self, kind: Callable[[Gateway], T]) -> T:
        """An object that several faces share, one per kind; created on first use."""
        if kind not in self._shared:
            self._shared[kind] = kind(self)
        made: T = self._shared[kind]
        return made

    @property
    def is_stopping(self) -> bool:
        """Whether new work is refused."""
        return self.stopping.is_set()

    def task(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run a background task that no caller awaits, like an interrupt. Failures are counted, internal errors are
        logged. Shutdown waits for it, for a few seconds."""
        task = self.awaited_task(coroutine)
        task.add_done_callback(self._count_failure)
        return task

    def awaited_task(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """The same for a task whose caller awaits the result or the failure."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def on_stop(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Register what to do as soon as new work is refused, while running streams may still end."""
        self._at_stop.append(callback)

    def begin_to_stop(self) -> None:
        """Refuse new work from now on. Idempotent."""
        if not self.is_stopping:
            self.stopping.set()
            self.admission.close()
            self.app_server.give_up_starts()
            for callback in self._at_stop:
                self.task(_awaited(callback))

    async def close(self) -> None:
        """Wait for background tasks, within a timeout, and close the app-server's connections."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_LAST_TASKS_S)
            for task in late:
                task.cancel()
        await self.app_server.close()

    def _count_failure(self, task: asyncio.Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.metrics.background_errors.inc()
            if not isinstance(error, Exception) or refusal_of(error)[0].code == DEFECT:
                self.tell_defect(error)


async def _awaited(callback: Callable[[], Awaitable[None]]) -> None:
    await callback()
