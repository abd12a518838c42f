"""The flags of an app-server on a TCP port, and the verb that makes its token: what each takes."""

from __future__ import annotations

from typing import Final

from codex_server_cli.cli import parameters as p
from codex_server_cli.cli.parameters import argument, option
from codex_server_cli.cli.tables.system import SYSTEM
from codex_server_cli.cli.verb import Verb
from codex_server_cli.core.model.server.ws_auth import WsAuth

LISTEN_FLAGS: Final = (
    option("listen", "--listen", help="At a TCP port in place of a socket: ws://IP:PORT.", metavar="URL"),
    option("ws_auth", "--ws-auth", help="How it knows its clients; needed off loopback.", type=WsAuth),
    option("ws_token_file", "--ws-token-file", help="The token (capability-token), in a file.", metavar="FILE"),
    option("ws_token_sha256", "--ws-token-sha256", help="Or the token's SHA-256.", metavar="HEX"),
    option(
        "ws_shared_secret_file",
        "--ws-shared-secret-file",
        help="The secret that signs tokens (signed-bearer-token), in a file.",
        metavar="FILE",
    ),
    option("ws_issuer", "--ws-issuer", help="The issuer that a signed token must name.", metavar="ISS"),
    option("ws_audience", "--ws-audience", help="The audience that a signed token must name.", metavar="AUD"),
    option(
        "ws_max_clock_skew_seconds",
        "--ws-max-clock-skew-seconds",
        help="How far clocks may differ (default: 30).",
        metavar="N",
        type=int,
    ),
)
"""Of `server start`; each has the name of its field in `ListenFlags`."""

VERBS: Final[dict[str, Verb]] = {
    "server token": Verb(
        "verbs.system:token",
        SYSTEM,
        "Make a file with a random token for an app-server on a TCP port. Never overwrites.",
        (argument("file", help="Where; only you can read it.", metavar="FILE", is_required=True), *p.OBJECT_JSON),
    ),
}
