"""The verbs about remote control of the shared app-server: their parameters."""

from __future__ import annotations

from typing import Final

from codex_server_cli.cli import parameters as p
from codex_server_cli.cli.parameters import argument, option, switch
from codex_server_cli.cli.tables.system import SYSTEM
from codex_server_cli.cli.verb import Verb

GROUPS: Final[dict[str, str]] = {"remote": "Use the shared app-server from the ChatGPT app on another device."}
"""The first word of these verbs, with its text in `--help`."""

_SERVER = option(
    "server",
    "--server",
    help="shared, the default: no other is ours to hand out.",
    metavar="URL",
    offers=p.Offer.SHARED,
)

VERBS: Final[dict[str, Verb]] = {
    "remote enable": Verb(
        "verbs.remote:enable",
        SYSTEM,
        "Let paired devices use the shared server, now and whenever it is started again.",
        (_SERVER, *p.OBJECT_JSON),
    ),
    "remote disable": Verb(
        "verbs.remote:disable",
        SYSTEM,
        "Let no device use it any more. Paired devices stay paired.",
        (_SERVER, *p.OBJECT_JSON),
    ),
    "remote status": Verb(
        "verbs.remote:status",
        SYSTEM,
        "Show whether remote control is on, and connected.",
        (
            switch("follow", "--follow", help="Each change, too, until Ctrl-C; in JSON a line each."),
            _SERVER,
            *p.OBJECT_JSON,
        ),
    ),
    "remote pair": Verb(
        "verbs.remote:pair",
        SYSTEM,
        "Print a code for one device, and until when it can be used.",
        (
            switch("manual_code", "--manual-code", help="A short code, to type in."),
            switch("wait", "--wait", help="Wait until a device has used it; in JSON a second line then."),
            option("timeout", "--timeout", help="End with 124 after S seconds, or 5m.", metavar="S"),
            _SERVER,
            *p.OBJECT_JSON,
        ),
    ),
    "remote clients": Verb(
        "verbs.remote:clients",
        SYSTEM,
        "List the paired devices.",
        (_SERVER, *p.TABLE_JSON),
    ),
    "remote revoke": Verb(
        "verbs.remote:revoke",
        SYSTEM,
        "Unpair a device.",
        (
            argument("client", help="Its id, a unique prefix of one, or its name.", metavar="CLIENT", is_required=True),
            _SERVER,
            *p.OBJECT_JSON,
        ),
    ),
}
