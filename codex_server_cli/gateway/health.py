"""Health (`/healthz`, `/readyz`), metrics (`/metrics`), and the index of paths (`/`)."""

from __future__ import annotations

from pathlib import Path

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from codex_server_cli import __version__
from codex_server_cli.actions.shared_route import shared_key
from codex_server_cli.codex.login import read_codex_config
from codex_server_cli.errors import CodexServerError
from codex_server_cli.gateway.http_answers import json_answer
from codex_server_cli.gateway.page.static_files import page_answer, wants_page
from codex_server_cli.gateway.state import Gateway
from codex_server_cli.gateway.upstream.wire import UpstreamGone
from codex_server_cli.settings.config import read_config
from codex_server_cli.settings.environment import variable
from codex_server_cli.settings.places import Settings


def routes(gateway: Gateway) -> list[BaseRoute]:
    """The routes of this module."""

    async def healthz(request: Request) -> Response:
        """Whether the app-server answers, within a second."""
        return await _health(gateway, request)

    async def readyz(request: Request) -> Response:
        """The same, and whether Codex's configuration can be read: without it no chat and no turn can start."""
        try:
            await to_thread.run_sync(check_configuration, gateway.settings)
        except CodexServerError as error:
            return _unavailable(error.message, request)
        return await _health(gateway, request)

    async def metrics(_: Request) -> Response:
        """What was counted."""
        await to_thread.run_sync(_measure, gateway)
        return Response(gateway.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def index(request: Request) -> Response:
        """What this is, and which paths it has; for a browser, the page."""
        if wants_page(request.scope):
            return page_answer(request)
        found = [_words_of(route) for route in request.app.routes if getattr(route, "include_in_schema", True)]
        return json_answer(
            {"name": "codex-server", "version": __version__, "routes": found}, headers={"vary": "Accept"}
        )

    return [
        Route("/", index),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
    ]


def _words_of(route: BaseRoute) -> str:
    methods = getattr(route, "methods", None)
    verbs = "|".join(sorted(methods - {"HEAD"})) if methods else "WEBSOCKET"
    return f"{verbs} {getattr(route, 'path', '')}"


async def _health(gateway: Gateway, request: Request) -> Response:
    if gateway.is_stopping:
        return json_answer({"status": "stopping"}, 503)
    try:
        await gateway.app_server.probe()
    except UpstreamGone as error:
        return _unavailable(error.reason, request)
    return json_answer({"status": "ok"})


def _unavailable(reason: str, request: Request) -> Response:
    # Without a token no reason is given: it may name paths.
    told = {"reason": reason} if request.scope.get("is_trusted", False) else {}
    return json_answer({"status": "unavailable", **told}, 503, {"Retry-After": "2"})


def check_configuration(settings: Settings) -> None:
    """Check that Codex's `config.toml` and our config.json are readable.

    Raises:
        CodexServerError: one of them is not, or there is no codex.
    """
    key = shared_key(settings, read_config(settings.config_path))
    read_codex_config(settings.codex_home, Path(key.codex))


def _measure(gateway: Gateway) -> None:
    import psutil

    generation = gateway.app_server.generation
    if generation is not None:
        try:
            gateway.metrics.app_server_bytes.set(psutil.Process(generation.pid).memory_info().rss)
        except psutil.Error:
            gateway.metrics.app_server_bytes.set(0)
    folder = variable("CODEX_SQLITE_HOME") or str(gateway.settings.codex_home)
    try:
        gateway.metrics.log_database_bytes.set(Path(folder, "logs_2.sqlite").stat().st_size)
    except OSError:
        gateway.metrics.log_database_bytes.set(0)
