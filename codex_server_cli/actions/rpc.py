"""One raw call of an app-server, and its notifications. Owns the connection; must never know what a method does.

None of a turn's checks applies here: not the sandbox, not consent, not who pays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from codex_server_cli import __version__
from codex_server_cli.codex.client import CodexClient
from codex_server_cli.codex.transport.base import Link
from codex_server_cli.core.protocol.query import initialize
from codex_server_cli.core.protocol.rpc import object_at, readable_message
from codex_server_cli.core.result.failures import kind_of_refusal
from codex_server_cli.errors import LateError, RefusalError, ServerError

DEFAULT_TIMEOUT_S = 30.0


@contextmanager
def raw_client(open_link: Callable[[], Link], address: str, timeout_s: float) -> Iterator[CodexClient]:
    """A client of any app-server, after the handshake.

    Args:
        open_link, address: see `CodexClient`.
        timeout_s: for the handshake.

    Raises:
        CodexServerError: it cannot be reached, or does not answer.
    """
    with CodexClient(open_link, address, keeps_all=True) as client:
        if client.run(initialize(__version__), timeout_s) is None:
            raise ServerError(f"{address} refuses the handshake", hint="Is it an app-server of Codex?")
        yield client


def call(client: CodexClient, method: str, params: Any, timeout_s: float) -> Any:
    """Make one call and return its result.

    Raises:
        RefusalError: the app-server answered with an error.
        LateError: no answer came in time.
        CodexServerError: the app-server has ended.
    """
    reply = client.call(method, params, timeout_s)
    if reply is None:
        raise LateError(f"no reply to {method} in time", hint="Wait longer: --timeout S (default: 30s).")
    if "error" in reply:
        raise _refusal(method, object_at(reply, "error"))
    return reply.get("result")


def _refusal(method: str, error: dict[str, Any]) -> RefusalError:
    message, kind = readable_message(error), kind_of_refusal(error)
    _, is_unknown, known = message.partition(f"unknown variant `{method}`, expected one of ")
    if not is_unknown:
        return RefusalError(message, kind=kind, error=error)
    from difflib import get_close_matches  # most methods are known

    alike = ", ".join(get_close_matches(method, re.findall(r"`([^`]+)`", known)))  # there are two hundred
    hint = f"Is one of these meant? {alike}" if alike else ""
    return RefusalError(f"this app-server has no method {method}", kind=kind, hint=hint, error=error)
