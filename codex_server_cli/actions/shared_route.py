"""The way to our own shared app-server, which is started where none runs."""

from __future__ import annotations

from pathlib import Path

from codex_server_cli.codex.binary import CodexBinary, find_codex, probe
from codex_server_cli.codex.server.key import ServerKey, make_key
from codex_server_cli.codex.server.shared import ensure_shared
from codex_server_cli.codex.transport.connect import Route
from codex_server_cli.core.model.server.address import ServerAddress, ServerKind
from codex_server_cli.settings.config import Config
from codex_server_cli.settings.places import Settings


def shared_key(settings: Settings, config: Config) -> ServerKey:
    """Which shared server a turn of this environment uses.

    Raises:
        CodexMissingError: no usable codex.
    """
    codex = find_codex(config.codex, settings.search_path, lambda path: _probe_once(settings, path))
    return make_key(settings.codex_home, codex.path, may_bill_api_key=config.may_bill_api_key)


def shared_route(settings: Settings, config: Config) -> Route:
    """The way to it.

    Raises:
        CodexServerError: it does not start: see `ensure_shared`.
    """
    found = ensure_shared(settings.home, shared_key(settings, config), idle_s=config.server_idle)
    return Route(ServerAddress(ServerKind.SHARED, "shared"), found.socket_path)


def _probe_once(settings: Settings, path: Path) -> CodexBinary:
    from codex_server_cli.disk.codex_versions import read_version  # a pinned codex does without

    version = read_version(settings.home, path)
    return probe(path) if version is None else CodexBinary(path, version)
