"""The verbs that talk directly to an app-server: `rpc`, `proxy`."""

from __future__ import annotations

import json
import math
import sys
import time
from shlex import quote
from typing import Any, NoReturn

from codex_server_cli.actions.server_route import Connector, connector_for
from codex_server_cli.actions.start.options import GivenServer, server_of
from codex_server_cli.cli import output
from codex_server_cli.core.duration import parse_duration_s
from codex_server_cli.core.protocol.rpc import encode
from codex_server_cli.errors import BadInputError, Exit, UsageError
from codex_server_cli.settings.places import Settings

_MOST_PARAMS_BYTES = 64 << 20
_SIGTERM_CODE = 143


def rpc(*, method: str, params: str | None, follow: bool, timeout: str | None, **server: Any) -> Exit:
    """Call one method of an app-server, print its result."""
    from codex_server_cli.actions import rpc as actions

    if not method.strip():
        raise UsageError("METHOD is empty", hint="Like: codex-server rpc model/list")
    timeout_s = actions.DEFAULT_TIMEOUT_S if timeout is None else parse_duration_s(timeout, "--timeout")
    value = _params(params)
    connector = _connector(server, timeout_s)
    began = time.monotonic()
    with actions.raw_client(connector.open_link, connector.address, timeout_s) as client:
        output.show_json(actions.call(client, method, value, began + timeout_s - time.monotonic()))
        if follow:
            for message in client.unsolicited(None if timeout is None else began + timeout_s - time.monotonic()):
                output.show_line(encode(message).rstrip())
    return Exit.OK


def proxy(**server: Any) -> int:
    """Connect stdin and stdout to an app-server: JSON-RPC, one message per line."""
    from codex_server_cli.actions.proxy import REPLY_TIMEOUT_S, TerminatedError, pump

    connector = _connector(server, math.inf)
    try:
        unanswered = pump(connector.open_link, connector.address, is_socket=connector.is_socket)
    except TerminatedError:
        return _SIGTERM_CODE
    if not unanswered:
        return Exit.OK
    what = "1 request has" if unanswered == 1 else f"{unanswered} requests have"
    output.note(f"codex-server: {what} no reply {REPLY_TIMEOUT_S:g} s after the end of stdin")
    return Exit.TIMEOUT


def _connector(flags: dict[str, Any], within_s: float) -> Connector:
    given = server_of(flags) or GivenServer()
    _refuse_http(given.url)
    return connector_for(Settings.load(), given, within_s=within_s)


def _refuse_http(url: str | None) -> None:
    if url is not None and url.strip().lower().startswith(("http://", "https://")):
        hint = f"Such a service is called by a POST: curl --json '{{\"method\": …}}' {quote(url.strip())}"
        raise UsageError("--server: an app-server speaks WebSocket, and this is an HTTP service", hint=hint)


def _params(text: str | None) -> Any:
    """The parameters of a call.

    Raises:
        BadInputError: they are invalid.
    """
    if text is None:
        return {}
    if text == "-":
        data = sys.stdin.buffer.read(_MOST_PARAMS_BYTES + 1)
        if len(data) > _MOST_PARAMS_BYTES:
            raise BadInputError(f"more than {_MOST_PARAMS_BYTES >> 20} MiB of PARAMS", hint="No app-server takes them.")
        text = data.decode("utf-8", "surrogateescape")
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
        # A lone surrogate, or a number that overflowed (1e999): Codex silently drops either.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        hint = "Like: codex-server rpc thread/list '{\"limit\": 5}'"
        raise BadInputError(f"PARAMS is no JSON: {error}", hint=hint) from error
    if not isinstance(value, dict | list | None):
        raise BadInputError("PARAMS must be a JSON object, an array or null", hint="Like: '{\"limit\": 5}'")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is none of its numbers")
