"""`serve`: the lifetime of one gateway. Owns its process: signals, output, the exit code.

Shutdown takes at most some ten seconds: new work is refused at once, held chats are interrupted, streams have a few
seconds; turns are separate processes and go on. A second signal ends the process at once.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from anyio import to_thread

from codex_server_cli.errors import CodexMissingError
from codex_server_cli.gateway.access_log import AccessLog
from codex_server_cli.gateway.app import make_app
from codex_server_cli.gateway.connection_limits import (
    IDLE_S,
    MOST_MESSAGE_BYTES,
    ConnectionLimits,
    LimitedConfig,
    LimitedProtocol,
    LimitedWebSocket,
)
from codex_server_cli.gateway.health import check_configuration
from codex_server_cli.gateway.listener import BACKLOG, listening, raise_file_limit
from codex_server_cli.gateway.middleware import RequestMiddleware
from codex_server_cli.gateway.options import ServeOptions
from codex_server_cli.gateway.state import Gateway
from codex_server_cli.gateway.upstream.wire import UpstreamGone
from codex_server_cli.settings.places import Settings

_GRACE_S = 5
"""How long streams may go on after the signal."""
_CANCELLED_S = 2.0
_WS_PING_S = 20.0


def serve(settings: Settings, options: ServeOptions, *, tell: Callable[[str], None], is_for_people: bool) -> int:
    """Serve until a signal arrives.

    Args:
        tell: called once with the line that names the address.
        is_for_people: the form of the log on stderr.

    Returns:
        The exit code.

    Raises:
        CodexServerError: it cannot start.
    """

    async def until_stopped(gateway: Gateway, address: str) -> None:
        tell(f"listening on {address}")
        await gateway.stopping.wait()

    return run_service(settings, options, AccessLog(is_for_people=is_for_people), until_stopped)


Work = Callable[[Gateway, str], Coroutine[Any, Any, None]]
"""Work to do while a gateway serves, given its address; the gateway stops when it is done."""


def run_service(settings: Settings, options: ServeOptions, log: AccessLog, work: Work) -> int:
    """Serve until a signal arrives or the work is done; exceptions of the work are raised here.

    Args:
        log: is closed at the end.

    Returns:
        The exit code: 130 after Ctrl-C, else 0.

    Raises:
        CodexServerError: it cannot start.
    """
    most = raise_file_limit()
    log.take_over_loggers()
    try:
        with listening(options) as (listener, address):
            return asyncio.run(_Service(settings, options, log, most).run(listener, address, work))
    finally:
        log.close()


class _Service:
    """One gateway in its event loop."""

    def __init__(self, settings: Settings, options: ServeOptions, log: AccessLog, most_connections: int) -> None:
        self._settings, self._options, self._log = settings, options, log
        self._limits = ConnectionLimits(most_connections)
        self._signal: int | None = None
        self._gateway: Gateway | None = None

    async def run(self, listener: socket.socket, address: str, work: Work) -> int:
        """See `run_service`."""
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(signum) is not signal.SIG_IGN:  # `nohup` and `&` ignore it
                loop.add_signal_handler(signum, self._on_signal, signum)
        gateway = self._gateway = Gateway(self._settings, self._options, self._log.defect)
        try:
            if await self._start(gateway):
                await self._serve(gateway, listener, address, work)
        finally:
            await gateway.close()
        return 130 if self._signal == signal.SIGINT else 0

    async def _start(self, gateway: Gateway) -> bool:
        """Start the app-server and wait until it answers; False if a signal arrives first.

        Raises:
            CodexServerError: it does not answer, or Codex's configuration cannot be read.
        """
        await to_thread.run_sync(check_configuration, self._settings)
        starting = asyncio.ensure_future(gateway.app_server.start())
        stopping = asyncio.ensure_future(gateway.stopping.wait())
        await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not starting.done():
            starting.cancel()
            return False
        try:
            starting.result()
        except UpstreamGone as error:
            raise CodexMissingError(
                error.reason, hint="`codex-server server logs`, or `codex-server doctor`"
            ) from error
        return True

    async def _serve(self, gateway: Gateway, listener: socket.socket, address: str, work: Work) -> None:
        app = RequestMiddleware(gateway, make_app(gateway), self._log)
        server = _UvicornServer(self._configuration(app))
        serving = asyncio.ensure_future(server.serve(sockets=[listener]))
        sweeping = asyncio.ensure_future(self._limits.sweep())
        try:
            beginning = asyncio.ensure_future(server.begun.wait())
            await asyncio.wait((serving, beginning), return_when=asyncio.FIRST_COMPLETED)
            beginning.cancel()
            if serving.done():
                serving.result()  # raises
            self._log.say("started", address=address, pid=os.getpid())
            working = asyncio.ensure_future(work(gateway, address))
            stopping = asyncio.ensure_future(gateway.stopping.wait())
            await asyncio.wait((serving, working, stopping), return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            self._log.say("stopping")
            gateway.begin_to_stop()
            server.should_exit = True
            await serving
            await working
            if server.server_state.tasks:  # cancelled ones may have to interrupt a turn
                await asyncio.wait(server.server_state.tasks, timeout=_CANCELLED_S)
        finally:
            sweeping.cancel()

    def _configuration(self, app: RequestMiddleware) -> LimitedConfig:
        configuration = LimitedConfig(
            app,
            interface="asgi3",
            http=LimitedProtocol,
            ws=LimitedWebSocket,
            ws_max_size=MOST_MESSAGE_BYTES,
            ws_per_message_deflate=False,
            ws_ping_interval=_WS_PING_S,
            ws_ping_timeout=_WS_PING_S,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_keep_alive=int(IDLE_S),
            timeout_graceful_shutdown=_GRACE_S,
        )
        configuration.limits = self._limits
        return configuration

    def _on_signal(self, signum: int) -> None:
        if self._signal is not None:
            self._log.say("ended", signal=signum)
            self._log.close()
            os._exit(128 + signum)  # a unix socket stays: the next start replaces it
        self._signal = signum
        if self._gateway is not None:
            self._gateway.begin_to_stop()


class _UvicornServer(uvicorn.Server):
    """uvicorn's server, without its signal handlers.

    Attributes:
        begun: set once it accepts connections.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.begun = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See `uvicorn.Server`."""
        await super().startup(sockets)
        self.begun.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """See `uvicorn.Server`."""
        yield
