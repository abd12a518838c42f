"""The verbs about the app-servers that we start, on a socket or a TCP port: their parameters."""

from __future__ import annotations

from typing import Final

from codex_server_cli.cli import parameters as p
from codex_server_cli.cli.parameters import argument, number, option, switch
from codex_server_cli.cli.tables.system import SYSTEM
from codex_server_cli.cli.verb import Verb
from codex_server_cli.core.model.server.ws_auth import WsAuth

GROUPS: Final[dict[str, str]] = {
    "server": "The shared app-server: one Codex for many turns (--server shared), started by the first of them."
}
"""The first word of these verbs, with its text in `--help`."""

LISTEN_FLAGS: Final = (
    option("listen", "--listen", help="At a TCP port in place of a socket: ws://IP:PORT.", metavar="URL"),
    option("ws_auth", "--ws-auth", help="How it knows its clients; needed off loopback.", type=WsAuth, metavar="HOW"),
    option(
        "ws_token_file",
        "--ws-token-file",
        help="The token (capability-token), in a file.",
        metavar="FILE",
        offers=p.Offer.FILES,
    ),
    option("ws_token_sha256", "--ws-token-sha256", help="Or the token's SHA-256.", metavar="HEX"),
    option(
        "ws_shared_secret_file",
        "--ws-shared-secret-file",
        help="The secret that signs tokens (signed-bearer-token), in a file.",
        metavar="FILE",
        offers=p.Offer.FILES,
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
"""The flags of `server start`; each has the name of its field in `ListenFlags`."""

VERBS: Final[dict[str, Verb]] = {
    "server start": Verb(
        "verbs.server:start",
        SYSTEM,
        "Start the shared app-server of this environment, unless it runs. A turn does that itself.",
        (*LISTEN_FLAGS, *p.OBJECT_JSON),
    ),
    "server stop": Verb(
        "verbs.server:stop",
        SYSTEM,
        "Stop every shared app-server of this home, once the turns that run there have ended.",
        (
            switch("now", "--now", help="At once: its turns are cancelled."),
            option("timeout", "--timeout", help="Wait at most S seconds, or 5m (default: 1m).", metavar="S"),
            *p.OBJECT_JSON,
        ),
    ),
    "server restart": Verb(
        "verbs.server:restart",
        SYSTEM,
        "Start the next generation of the shared app-server; the present one runs its turns to their end.",
        p.OBJECT_JSON,
    ),
    "server status": Verb(
        "verbs.server:status",
        SYSTEM,
        "Show every shared app-server of this home: memory, threads, turns, clients, and what turns left running.",
        p.OBJECT_JSON,
    ),
    "server logs": Verb(
        "verbs.server:logs",
        SYSTEM,
        "Print what the shared app-server and its keeper have said.",
        (
            number("lines", "-n", "--lines", help="How many of the last lines.", default=100),
            switch("follows", "--follow", "-f", help="Go on with what is added, until Ctrl-C."),
        ),
    ),
    "server token": Verb(
        "verbs.server:token",
        SYSTEM,
        "Make a file with a random token for an app-server on a TCP port. Never overwrites.",
        (
            argument(
                "file", help="Where; only you can read it.", metavar="FILE", is_required=True, offers=p.Offer.FILES
            ),
            *p.OBJECT_JSON,
        ),
    ),
}
