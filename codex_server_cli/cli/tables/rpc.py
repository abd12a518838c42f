"""The verbs that talk directly to an app-server: their parameters."""

from __future__ import annotations

from typing import Final

from codex_server_cli.cli import parameters as p
from codex_server_cli.cli.parameters import argument, option, switch
from codex_server_cli.cli.tables.system import SYSTEM
from codex_server_cli.cli.verb import Verb

VERBS: Final[dict[str, Verb]] = {
    "rpc": Verb(
        "verbs.rpc:rpc",
        SYSTEM,
        "Call one method of an app-server, print its result. Sharp: it can start turns unguarded, and change Codex.",
        (
            argument("method", help="Like model/list.", metavar="METHOD", is_required=True),
            argument("params", help="A JSON object, array or null; - reads stdin (default: {}).", metavar="[PARAMS|-]"),
            *p.SERVER_FLAGS,
            switch("follow", "--follow", "-f", help="Then print what comes, a JSON line each, until Ctrl-C."),
            option("timeout", "--timeout", help="For the reply (default: 30s); with -f for all.", metavar="S"),
        ),
    ),
    "proxy": Verb(
        "verbs.rpc:proxy",
        SYSTEM,
        "Connect stdin and stdout to an app-server: JSON-RPC, one message a line. No guard of a turn applies.",
        p.SERVER_FLAGS,
    ),
}
