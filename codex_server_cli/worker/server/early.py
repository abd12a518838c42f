"""A connection to our shared app-server that is made while the worker imports the rest: the server needs 10 ms before a
thread is opened, and the imports take 20.

Sends the messages of `core.session.shared.opening`, and keeps the replies. A worker runs one turn, so it has at most
one of these, from `begin` until `take`. If it is never taken, it ends with the process. Must never start a server, nor
wait for more than the connection.
"""

from __future__ import annotations

import contextlib
import resource
from pathlib import Path
from typing import Any, NamedTuple

from codex_server_cli import __version__
from codex_server_cli.codex.server.key import ServerKey, make_key
from codex_server_cli.codex.server.shared import find_shared
from codex_server_cli.codex.server.state import Generation, Lease
from codex_server_cli.codex.transport.base import FEWEST_FILES
from codex_server_cli.codex.transport.unix import connect_unix
from codex_server_cli.codex.transport.websocket import WebSocketLink
from codex_server_cli.core.session.shared.opening import first_line, next_lines
from codex_server_cli.errors import CodexServerError
from codex_server_cli.settings.places import Settings

_CONNECT_S = 0.5
"""A warm server takes 1 ms."""


class Begun(NamedTuple):
    """A connection, and the bytes sent and received on it.

    Attributes:
        generation, key: of the server.
        lease: taken before the connection was made.
    """

    generation: Generation
    key: ServerKey
    lease: Lease
    link: WebSocketLink
    sent: bytes
    heard: bytes

    def drop(self) -> None:
        """End it."""
        self.link.end()
        self.link.close()
        self.lease.release()


_begun: list[Begun] = []


def begin(meta: dict[str, Any]) -> None:
    """Connect, if a server runs. A failure is ignored here: the worker tries again later, and reports.

    Args:
        meta: `meta.json` of a turn on our shared server.
    """
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < FEWEST_FILES:
        return
    with contextlib.suppress(OSError, CodexServerError):
        _begin(meta)


def _begin(meta: dict[str, Any]) -> None:
    settings, request = Settings.load(), meta["request"]
    key = make_key(settings.codex_home, Path(meta["codex"]), may_bill_api_key=bool(request.get("may_bill_api_key")))
    found = find_shared(settings.home, key)
    if found is None or not found.socket_path:
        return
    with contextlib.ExitStack() as undo:
        lease = Lease(found)
        undo.callback(lease.release)
        link = connect_unix(found.socket_path, _CONNECT_S)
        undo.callback(link.close)
        sent = first_line(__version__)
        link.send(sent)
        from codex_server_cli.core.record import turn_record  # noqa: F401 — needed soon, and takes longer than the reply

        heard = link.read(*link.fds())
        if heard is None:
            return
        more = next_lines(heard, request["cwd"], None if request.get("is_fork") else request.get("thread_id"))
        link.send(more)
        _begun.append(Begun(found, key, lease, link, sent + more, heard))
        undo.pop_all()


def take(key: ServerKey) -> Begun | None:
    """The early connection to the server of a key, at the first call; else None."""
    begun = _begun.pop() if _begun else None
    if begun is not None and begun.key != key:  # the environment's files have changed meanwhile
        begun.drop()
        return None
    return begun
