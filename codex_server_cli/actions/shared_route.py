"""Connecting to our own shared app-server, which is started where none runs."""

from __future__ import annotations

from codex_server_cli.actions.codex_probe import probe_once
from codex_server_cli.actions.read.read import check_codex_home
from codex_server_cli.codex.binary import find_codex
from codex_server_cli.codex.server.asking import SHARED
from codex_server_cli.codex.server.key import ServerKey, make_key
from codex_server_cli.codex.server.shared import Lease, ensure_shared
from codex_server_cli.codex.transport.base import Link
from codex_server_cli.codex.transport.connect import Route, connect
from codex_server_cli.settings.config import Config
from codex_server_cli.settings.places import Settings


def shared_key(settings: Settings, config: Config) -> ServerKey:
    """Which shared server a turn of this environment uses.

    Raises:
        CodexMissingError: no usable codex.
    """
    codex = find_codex(config.codex, settings.search_path, lambda path: probe_once(settings, path))
    return make_key(settings.codex_home, codex.path, may_bill_api_key=config.may_bill_api_key)


def open_shared(settings: Settings, config: Config) -> Link:
    """A link to it, for a single command: a lease keeps it from stopping for idleness until this process ends.

    Raises:
        CodexServerError: it does not start: see `ensure_shared`; or it does not answer.
    """
    check_codex_home(settings)
    found = ensure_shared(settings.home, shared_key(settings, config), idle_s=config.server_idle)
    Lease(found)  # a descriptor, which the end of this process closes
    return connect(Route(SHARED, found.socket_path))
