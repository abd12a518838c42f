"""Does this codex answer? Owns the shortest conversation: `initialize`, its reply, the end. For setup and doctor."""

from __future__ import annotations

import select
import time
from pathlib import Path

from codex_server_cli import __version__
from codex_server_cli.core import rpc
from codex_server_cli.core.jsonl import LineDecoder
from codex_server_cli.errors import CodexMissingError
from codex_server_cli.proc.app_server import AppServer

TIMEOUT_S = 20.0


def initialize(codex: Path, cwd: Path) -> str:
    """Start an app-server, shake hands, and end it. On a fresh `CODEX_HOME` that also makes Codex's databases.

    Returns:
        Its user agent.

    Raises:
        CodexMissingError: it does not start or does not answer; the message holds its last words.
    """
    try:
        server = AppServer(codex, str(cwd), may_bill_api_key=False)
    except OSError as error:
        raise CodexMissingError(f"{codex} cannot be started: {error}") from error
    try:
        client = {"clientInfo": {"name": "codex_server", "title": "codex-server", "version": __version__}}
        server.transport.send(rpc.encode(rpc.request(1, "initialize", client)))
        reply = _await_reply(server)
    except BrokenPipeError:
        reply = None
    finally:
        server.end()
        server.close()
    result = reply.get("result") if reply else None
    if not isinstance(result, dict):
        last = server.last_words().rpartition("\n")[2].strip() or "it left no word"
        raise CodexMissingError(f"codex app-server does not answer: {last}", hint="codex-server doctor")
    return str(result.get("userAgent"))


def _await_reply(server: AppServer) -> rpc.Message | None:
    decoder, deadline = LineDecoder(), time.monotonic() + TIMEOUT_S
    fds = [server.transport.read_fd(), server.stderr_fd]
    while (rest_s := deadline - time.monotonic()) > 0:
        select.select(fds, [], [], rest_s)
        if not server.drain_stderr():
            del fds[1:]  # closed: it would wake us for ever
        data = server.transport.read()
        if data is None:
            return None
        for line in decoder.feed(data):
            message = rpc.parse_line(line)
            if message is not None and rpc.message_type(message) is rpc.MessageType.RESPONSE:
                return message
    return None
