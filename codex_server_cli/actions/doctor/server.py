"""The check of `doctor` for the app-server that `config.json` names: whether it answers, which version, how fast."""

from __future__ import annotations

import time

from codex_server_cli import __version__
from codex_server_cli.actions.server_route import opener_of, route_for
from codex_server_cli.actions.shared_route import shared_key
from codex_server_cli.actions.start.options import GivenServer
from codex_server_cli.actions.start.place.server import address_of
from codex_server_cli.codex.client import run_query_on
from codex_server_cli.codex.server.asking import ask
from codex_server_cli.codex.server.shared import find_shared
from codex_server_cli.core.model.server.address import SPAWNED, ServerKind
from codex_server_cli.core.protocol.query import initialize, version_of
from codex_server_cli.errors import CodexServerError, ServerError
from codex_server_cli.settings.config import read_config
from codex_server_cli.settings.places import Settings

_TIMEOUT_S = 10.0
"""An ssh connection takes about a second."""


def has_server(settings: Settings) -> bool:
    """Whether `config.json` names an app-server that is not the turn's own; False where it cannot be read."""
    try:
        return read_config(settings.config_path).server not in (None, SPAWNED.url)
    except CodexServerError:
        return False  # reported by its own check


def look_at_server(settings: Settings) -> str:
    """Ask the configured app-server for its version; our shared one is not started for that.

    Raises:
        BadInputError: `config.json` names none.
        ServerError: it cannot be reached, or refuses.
        CodexMissingError: no usable codex.
    """
    config = read_config(settings.config_path)
    address = address_of(settings, None, config)
    started = time.monotonic()
    if address.kind is ServerKind.SHARED:
        found = find_shared(settings.home, shared_key(settings, config))
        if found is None:
            return "shared: none runs; the first turn starts it"
        agent = ask(found.socket_path, initialize(__version__), _TIMEOUT_S)
    else:
        route = route_for(settings, config, address, GivenServer())
        agent = run_query_on(opener_of(settings, config, route), address.url, initialize(__version__), _TIMEOUT_S)
    if agent is None:
        raise ServerError(f"{address.url} refuses us", hint="Is it a codex app-server?")
    took_ms = (time.monotonic() - started) * 1000
    return f"{address.url}: codex {version_of(agent) or 'of an unknown version'} in {took_ms:.0f} ms"
