"""The verb of the gateway: its parameters."""

from __future__ import annotations

from typing import Final

from codex_server_cli.cli.parameters import FULL, Offer, number, option, switch
from codex_server_cli.cli.tables.system import SYSTEM
from codex_server_cli.cli.verb import Verb
from codex_server_cli.core.model.server.instructions import Instructions

SERVE_FLAGS: Final = (
    option(
        "listen",
        "--listen",
        help="Where (default: 127.0.0.1:8787); port 0: any free one.",
        metavar="HOST:PORT|unix:PATH",
    ),
    option(
        "token_file", "--token-file", help="Bearer token; required off loopback.", metavar="FILE", offers=Offer.FILES
    ),
    option(
        "allow_origin", "--allow-origin", help="Allow requests from web origin O (CORS).", metavar="O", is_list=True
    ),
    option("allow_host", "--allow-host", help="Also accept Host header H; needs a token.", metavar="H", is_list=True),
    switch("allow_raw_rpc", "--allow-raw-rpc", help="Let the bridge call every method: it can run anything."),
    option(
        "cwd", "--cwd", "-C", help="Where turns work that name no directory.", metavar="DIR", offers=Offer.DIRECTORIES
    ),
    switch("write", "--write", "-w", help="Let turns there write if they ask to, and background responses."),
    number("max_streams", "--max-streams", help="Maximum concurrent streams (default: 16).", minimum=1),
    switch("strict_params", "--strict-params", help="Refuse parameters that have no effect."),
    option(
        "instructions",
        "--instructions",
        help="client: no system prompt but the client's (default); codex: Codex's own first.",
        type=Instructions,
        metavar="WHOSE",
    ),
)
"""Each has the name of its key in the table `serve` of config.json, and the same type."""

VERBS: Final[dict[str, Verb]] = {
    "serve": Verb(
        "verbs.serve:serve",
        SYSTEM,
        "Serve HTTP until Ctrl-C: OpenAI's chat completions, turns, and a bridge to the app-server. Extra `serve`.",
        (
            *SERVE_FLAGS,
            option("model_alias", "--model-alias", help="Map model name A to M.", metavar="A=M", is_list=True),
            switch(
                "selftest",
                "--selftest",
                help="Do not serve: test the model that is logged in, report the results, exit. Costs tokens.",
            ),
            switch("json", "--json", help="With --selftest: one JSON array instead of lines."),
            FULL,
        ),
    ),
}
