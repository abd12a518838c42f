"""The first messages of a turn on a new connection. Owns them, so that they can be sent before the session exists.

Their ids are the ones that `Requests` assigns: from 1, in this order.
"""

from __future__ import annotations

from codex_server_cli.core.protocol import rpc
from codex_server_cli.core.protocol.query import initialize_params
from codex_server_cli.core.protocol.rpc import Message, MessageType
from codex_server_cli.core.session.queued_messages import GOAL, LIST
from codex_server_cli.core.session.shared.own_threads import OPTED_OUT

INITIALIZED: Message = {"method": "initialized"}
READ = "configRequirements/read"
_FIRST_ID = 1


def queries(work_dir: str, resumed: str | None) -> dict[str, Message]:
    """The requests before the thread is opened: parameters by method.

    Args:
        resumed: the thread that is resumed, else None: Codex copies neither queue nor goal to a fork.
    """
    of_thread = {} if resumed is None else {method: {"threadId": resumed} for method in (LIST, GOAL)}
    return {"account/read": {}, "config/read": {"cwd": work_dir}, READ: {}, **of_thread}


def first_line(client_version: str) -> bytes:
    """The first line to a shared app-server."""
    return rpc.encode(rpc.request(_FIRST_ID, "initialize", initialize_params(client_version, OPTED_OUT)))


def next_lines(heard: bytes, work_dir: str, resumed: str | None) -> bytes:
    """The next lines.

    Args:
        heard: the bytes received so far.
        work_dir, resumed: as for `queries`.

    Returns:
        Empty if the first line has no reply yet, or was refused.
    """
    reply = rpc.parse_line(heard.partition(b"\n")[0]) or {}
    is_reply = rpc.message_type(reply) is MessageType.RESPONSE and reply.get("id") == _FIRST_ID
    if not is_reply or reply.get("error") is not None:
        return b""
    asked = enumerate(queries(work_dir, resumed).items(), _FIRST_ID + 1)
    requests = (rpc.request(number, method, params) for number, (method, params) in asked)
    return b"".join(map(rpc.encode, (INITIALIZED, *requests)))
