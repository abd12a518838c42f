"""The health of an app-server on a TCP port, from its pages `/readyz` and `/healthz`. Asks nothing else."""

from __future__ import annotations

from typing import NamedTuple

from codex_server_cli.codex.transport.tcp import ask_page
from codex_server_cli.core.model.server.address import ServerAddress
from codex_server_cli.errors import ServerError

TIMEOUT_S = 1.0
_REACHED = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class Health(NamedTuple):
    """The results of the two pages.

    Attributes:
        is_ready: it takes connections.
        is_healthy: it is alive.
        problem: why it is not ready, for people; None where it is.
    """

    is_ready: bool
    is_healthy: bool
    problem: str | None = None


def read_health(address: ServerAddress, timeout_s: float = TIMEOUT_S) -> Health:
    """Fetch both pages, each within `timeout_s`.

    Args:
        address: an IP address and a port; for all interfaces (`0.0.0.0`, `::`) loopback is used.
    """
    reached = address._replace(host=_REACHED.get(address.host, address.host))
    problem = _problem_of(reached, "/readyz", timeout_s)
    return Health(problem is None, _problem_of(reached, "/healthz", timeout_s) is None, problem)


def _problem_of(address: ServerAddress, page: str, timeout_s: float) -> str | None:
    """Why a page does not report success; None where it does."""
    try:
        ask_page(address, page, timeout_s)
    except ServerError as error:
        return error.message
    return None
