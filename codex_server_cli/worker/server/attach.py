"""The substitute for a spawned app-server, where a turn's `meta.json` names a server; and what differs for the turn.

Imported only by such turns.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from codex_server_cli.core.images import HEAD_BYTES, image_type
from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.model.server.address import ServerAddress, ServerKind
from codex_server_cli.core.model.server.terms import OWN_SERVER, ServerTerms
from codex_server_cli.disk.files import read_bytes
from codex_server_cli.settings.environment import codex_environment
from codex_server_cli.settings.places import Settings
from codex_server_cli.worker.codex_process import CodexProcess
from codex_server_cli.worker.server.route import route_to


class Attached(NamedTuple):
    """A turn's connection to its server, the request in the form for that server, and the server's terms."""

    process: CodexProcess
    request: TurnRequest
    terms: ServerTerms


def attach(meta: dict[str, Any], request: TurnRequest, write_meta: Callable[[dict[str, Any]], None]) -> Attached:
    """Prepare the connection; does not connect yet.

    Args:
        meta: `meta.json`, which names a server; the target of the connection is recorded in it.
        write_meta: stores it.

    Raises:
        CodexServerError: the token cannot be used any more, or the record is damaged.
    """
    record = meta["server"]
    settings = Settings.load()
    route = route_to(record, settings)
    kind = route.address.kind
    if not route.address.is_here:
        request = request._replace(image_urls=tuple(data_url(path) for path in request.images))
    if kind is ServerKind.SSH:
        from codex_server_cli.worker.server.ssh import SshCodex

        return Attached(SshCodex(request, route), request, OWN_SERVER)
    terms = _terms_of(route.address, request)
    if kind is ServerKind.SHARED:
        from codex_server_cli.codex.server.key import make_key
        from codex_server_cli.worker.server.shared import SharedConnection

        def note() -> None:
            with contextlib.suppress(OSError):  # a full disk: the turn itself will report it
                write_meta(meta)

        key = make_key(settings.codex_home, Path(meta["codex"]), may_bill_api_key=request.may_bill_api_key)
        return Attached(SharedConnection(request, route, record, key, settings, note), request, terms)
    from codex_server_cli.worker.server.connection import ServerConnection

    return Attached(ServerConnection(request, route, record), request, terms)


def _terms_of(address: ServerAddress, request: TurnRequest) -> ServerTerms:
    environment = None
    if address.is_here:
        environment = codex_environment(may_bill_api_key=request.may_bill_api_key, turn_id=request.turn_id)
    return ServerTerms(True, address.kind is ServerKind.SHARED, environment)


def data_url(path: str) -> str:
    """A picture that a turn has kept, as a data URL.

    Raises:
        OSError: it cannot be read.
    """
    from base64 import b64encode  # 3 ms, not needed by other turns

    data = read_bytes(Path(path))
    return f"data:image/{image_type(data[:HEAD_BYTES])};base64,{b64encode(data).decode()}"
