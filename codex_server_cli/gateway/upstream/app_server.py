"""The gateway's app-server: one that the keeper shares, under a separate key. Owns finding and restarting it.

A lease for each connection, and one for as long as `serve` runs: meanwhile the app-server never stops for idleness,
and afterwards it stops after its idle timeout.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar
from weakref import WeakSet

from anyio import CapacityLimiter, to_thread

from codex_server_cli.actions.read.read import check_codex_home
from codex_server_cli.actions.shared_route import shared_key
from codex_server_cli.codex.server.key import ServerKey
from codex_server_cli.codex.server.shared import ensure_shared
from codex_server_cli.codex.server.state import Generation, Lease
from codex_server_cli.codex.transport.unix import open_socket
from codex_server_cli.errors import CodexServerError
from codex_server_cli.gateway.metrics import Metrics
from codex_server_cli.gateway.upstream.connection import UpstreamConnection
from codex_server_cli.gateway.upstream.wire import RawConnection, UpstreamGone
from codex_server_cli.settings.config import Config, read_config
from codex_server_cli.settings.places import Settings

C = TypeVar("C")
_OWN_KEY = ("-c", "thread_unload_delay_secs=1")
"""Of a server for the gateway only: what clients do to it never reaches a turn of the command line."""
_LIGHT = "thread/loaded/list"
"""A request that is cheap for an app-server."""
_CONNECT_S = 10.0
_FRESH_S = 0.5
"""How long a generation counts as good, or as impossible to start, without a new check."""
_MOST_THREADS = 8


class UpstreamServer:
    """Access to the app-server.

    Attributes:
        generation: the one used last.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings, self._metrics = settings, metrics
        self.generation: Generation | None = None
        self._doubted: Generation | None = None
        self._lease: Lease | None = None
        self._looked_at = float("-inf")
        self._failure: CodexServerError | None = None
        self._looking: asyncio.Task[Generation] | None = None
        self._kept: dict[str, UpstreamConnection] = {}
        self._made: WeakSet[UpstreamConnection] = WeakSet()
        self._kept_of: dict[str, Generation] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._threads = CapacityLimiter(_MOST_THREADS)
        self._key: tuple[ServerKey, Config] | None = None
        self._is_ending = threading.Event()

    async def start(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            CodexServerError: it cannot be started.
            UpstreamGone: it does not answer.
        """
        await self._find()
        await self.probe(_CONNECT_S)

    async def connect(self) -> UpstreamConnection:
        """A new connection, with the handshake done.

        Raises:
            UpstreamGone: no connection is possible.
        """
        return await self._twice(self._connect)

    async def connect_raw(self) -> RawConnection:
        """A new connection on which nothing has been sent.

        Raises:
            UpstreamGone: no connection is possible.
        """
        return await self._twice(self._open)

    async def _twice(self, attempt: Callable[[], Awaitable[C]]) -> C:
        """Retry once after a new lookup: the app-server may have ended since the last one."""
        try:
            return await attempt()
        except UpstreamGone:
            if self._failure is not None:
                raise
            self._looked_at = float("-inf")
            return await attempt()

    async def _connect(self) -> UpstreamConnection:
        connection = UpstreamConnection(await self._open())
        self._made.add(connection)
        try:
            await connection.initialize(_CONNECT_S)
            connection.when_draining = partial(self._doubt, self.generation)
            connection.is_draining = partial(_is_draining, self.generation)
        except BaseException:
            await asyncio.shield(connection.close())
            raise
        return connection

    async def _open(self) -> RawConnection:
        generation = await self._generation()
        opening = asyncio.ensure_future(to_thread.run_sync(_open, generation, limiter=self._threads))
        try:
            sock, lease = await asyncio.shield(opening)
        except (CodexServerError, OSError) as error:
            raise UpstreamGone(_words_of(error)) from error
        except asyncio.CancelledError:
            opening.add_done_callback(_release_unused)  # the thread goes on
            raise
        self._metrics.upstream_connections.inc()
        return await RawConnection.open(sock, self._ender_of(lease), _CONNECT_S)

    async def kept(self, face: str) -> UpstreamConnection:
        """A named connection that is kept between calls; replaced if it was lost, or if the app-server was
        replaced.

        Raises:
            UpstreamGone: no connection is possible.
        """
        async with self._locks.setdefault(face, asyncio.Lock()):
            generation = await self._generation()
            found = self._kept.get(face)
            if found is not None and found.is_open and self._kept_of.get(face) == generation:
                return found
            # The old one stays open for its users: it ends with its app-server, which drains.
            if found is not None and not found.is_open:
                await found.close()
            connection = self._kept[face] = await self.connect()
            self._kept_of[face] = self.generation or generation
            return connection

    async def probe(self, timeout_s: float = 1.0) -> None:
        """Check that it answers.

        Raises:
            UpstreamGone: it does not; the reason says why.
        """
        try:
            async with asyncio.timeout(timeout_s):
                connection = await self.kept("health")
                try:
                    await connection.call(_LIGHT, {}, timeout_s=2 * timeout_s)
                except UpstreamGone:  # its app-server has ended since it was last used; another one is started
                    connection = await self.kept("health")
                    await connection.call(_LIGHT, {}, timeout_s=2 * timeout_s)
        except TimeoutError as error:
            raise UpstreamGone(f"the app-server does not answer within {timeout_s:g} s") from error

    def give_up_starts(self) -> None:
        """Stop waiting for an app-server that is being started: the process cannot exit before that thread."""
        self._is_ending.set()

    async def close(self) -> None:
        """Close every connection, and release the leases."""
        self.give_up_starts()
        await asyncio.gather(*(connection.close() for connection in self._made), return_exceptions=True)
        self._kept.clear()
        if self._lease is not None:
            self._lease.release()

    def _ender_of(self, lease: Lease) -> Callable[[], None]:
        def end_once() -> None:
            if not ended:
                ended.append(True)
                lease.release()
                self._metrics.upstream_connections.dec()
                self._looked_at = float("-inf")  # the app-server may have ended

        ended: list[bool] = []
        return end_once

    def _doubt(self, generation: Generation | None) -> None:
        """A generation refuses new turns: the next lookup checks it, and finds or starts its successor."""
        if generation == self.generation:
            self._doubted, self._looked_at = generation, float("-inf")

    async def _generation(self) -> Generation:
        try:
            return await self._find()
        except CodexServerError as error:
            raise UpstreamGone(_words_of(error)) from error

    async def _find(self) -> Generation:
        """The current generation. Concurrent callers share one lookup, which goes on if its caller is cancelled.

        Raises:
            CodexServerError: it cannot be started.
        """
        if time.monotonic() - self._looked_at < _FRESH_S:
            if self._failure is not None:
                raise self._failure
            if self.generation is not None:
                return self.generation
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look())
            self._looking.add_done_callback(_retrieve)
        return await asyncio.shield(self._looking)

    async def _look(self) -> Generation:
        try:
            found, lease = await to_thread.run_sync(self._ensure, limiter=self._threads)
        except CodexServerError as error:
            self._failure, self._looked_at = error, time.monotonic()
            raise
        self._failure, self._looked_at = None, time.monotonic()
        if lease is not None:
            if self._lease is not None:
                self._lease.release()
            self._lease, self.generation = lease, found
            self._metrics.upstream_starts.inc()
        return found

    def _ensure(self) -> tuple[Generation, Lease | None]:
        """In a worker thread: the generation, with a lease if it is a new one."""
        if self._key is None or self.generation is None or not self.generation.is_alive():
            config = read_config(self._settings.config_path)
            check_codex_home(self._settings)
            self._key = shared_key(self._settings, config)._replace(extra=_OWN_KEY), config
        key, config = self._key
        try:
            doubted, self._doubted = self._doubted, None
            found = ensure_shared(
                self._settings.home,
                key,
                idle_s=config.server_idle,
                doubted=doubted,
                should_give_up=self._is_ending.is_set,
            )
            return found, None if found == self.generation else Lease(found)
        except OSError as error:
            raise CodexServerError(f"the app-server cannot be reached: {error.strerror}") from error


def _open(generation: Generation) -> tuple[socket.socket, Lease]:
    """In a worker thread: a socket; its lease is taken first."""
    lease = Lease(generation)
    try:
        return socket.socket(fileno=open_socket(generation.socket_path, _CONNECT_S).detach()), lease
    except BaseException:
        lease.release()
        raise


def _is_draining(generation: Generation | None) -> bool:
    return generation is not None and os.path.lexists(generation.draining_path)


def _release_unused(opening: asyncio.Future[tuple[socket.socket, Lease]]) -> None:
    """Close what was opened for a caller that was cancelled."""
    if not opening.cancelled() and opening.exception() is None:
        sock, lease = opening.result()
        sock.close()
        lease.release()


def _retrieve(looking: asyncio.Future[Generation]) -> None:
    """Retrieve the exception if no request waits for it any more: else asyncio reports it."""
    if not looking.cancelled():
        looking.exception()


def _words_of(error: CodexServerError | OSError) -> str:
    return error.message if isinstance(error, CodexServerError) else str(error.strerror or error)
