"""The verbs about the shared app-server: what each takes."""

from __future__ import annotations

from typing import Final

from codex_server_cli.cli import parameters as p
from codex_server_cli.cli.parameters import number, option, switch
from codex_server_cli.cli.tables.listen_flags import LISTEN_FLAGS
from codex_server_cli.cli.tables.system import SYSTEM
from codex_server_cli.cli.verb import Verb

GROUPS: Final[dict[str, str]] = {
    "server": "The shared app-server: one Codex for many turns (--server shared), started by the first of them."
}
"""The first word of these verbs, with its text in `--help`."""

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
}
