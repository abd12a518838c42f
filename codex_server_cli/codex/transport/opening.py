"""Opening the link of any route, for a single command. Owns which module does it; must never open a turn's link."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_server_cli.codex.transport.connect import TIMEOUT_S, Route, connect
from codex_server_cli.core.model.server.address import ServerKind

if TYPE_CHECKING:
    from codex_server_cli.codex.transport.base import Link


def open_link(route: Route, *, may_bill_api_key: bool = False, timeout_s: float = TIMEOUT_S) -> Link:
    """Connect to the app-server of a route; for `SSH`, start one there.

    Args:
        may_bill_api_key: for `SSH`: whether the app-server gets the API keys of its host's environment.
        timeout_s: for a connection; does not apply to `SSH`, which connects while the link is already in use.

    Raises:
        ServerError: nothing listens, or it refuses.
        OSError: ssh cannot be started.
    """
    if route.address.kind is not ServerKind.SSH:
        return connect(route, timeout_s=timeout_s)
    from codex_server_cli.codex.transport.ssh import SshServer  # most servers use a socket

    return SshServer(route, may_bill_api_key=may_bill_api_key)
