"""The verbs about the account and this installation: their parameters."""

from __future__ import annotations

from typing import Final

from codex_server_cli.cli import parameters as p
from codex_server_cli.cli.parameters import number, option, switch
from codex_server_cli.cli.verb import Verb

ACCOUNT = "Account"
SYSTEM = "System"

VERBS: Final[dict[str, Verb]] = {
    "login": Verb(
        "verbs.account:login",
        ACCOUNT,
        "Log in with ChatGPT; waits until it is done in a browser. Ctrl-C cancels it.",
        (
            switch("device", "--device", help="Print a code to enter in a browser elsewhere."),
            switch("no_browser", "--no-browser", help="Only print the URL."),
            option(
                "api_key", "--api-key", help="Log in with the API key on stdin, if config.json allows one.", metavar="-"
            ),
        ),
    ),
    "logout": Verb("verbs.account:logout", ACCOUNT, "Forget Codex's login on this machine."),
    "account": Verb(
        "verbs.account:account",
        ACCOUNT,
        "Show who is logged in; end with 2 where no turn could start.",
        (switch("refresh", "--refresh", help="Let Codex renew its token first."), *p.OBJECT_JSON),
    ),
    "limits": Verb(
        "verbs.account:limits",
        ACCOUNT,
        "Show the usage limits of the ChatGPT login, and when they reset.",
        p.TEXT_JSON,
    ),
    "models": Verb(
        "verbs.account:models",
        ACCOUNT,
        "List the models, with the efforts and inputs that each takes.",
        (switch("shows_hidden", "--all", help="The hidden ones, too."), *p.TEXT_JSON),
    ),
    "setup": Verb(
        "verbs.system:setup", SYSTEM, "Prepare the home, pin the native codex binary, initialise a fresh CODEX_HOME."
    ),
    "doctor": Verb(
        "verbs.system:doctor",
        SYSTEM,
        "Look at everything a turn needs; end with the code of the first thing that is missing.",
        (switch("json", "--json", help="One JSON array instead of lines."), p.FULL),
    ),
    "gc": Verb(
        "verbs.system:gc",
        SYSTEM,
        "Delete ended turns that are old, too many or too large, and what killed turns left. Running turns stay.",
        (
            option(
                "older_than", "--older-than", help="Like 7d or 12h (default: gc_days of config.json, 7).", metavar="AGE"
            ),
            option(
                "max_size",
                "--max-size",
                help="The oldest too, until those that ended take no more: 500M, 2G.",
                metavar="SIZE",
            ),
            number("keep", "--keep", help="All but the N newest that have ended, too.", minimum=1),
            switch("dry_run", "--dry-run", help="Only say what would be deleted, and why."),
            switch("named", "--named", help="Named turns like others (default: after gc_named_days, 30)."),
            switch("worktrees", "--worktrees", help="Those with changes in a worktree that were not applied, too."),
            *p.OBJECT_JSON,
        ),
    ),
    "usage": Verb(
        "verbs.usage:usage",
        SYSTEM,
        "Show what the turns that are on disk have used: how many, their tokens, what failed, how long they took.",
        (
            option(
                "since", "--since", help="Only turns started within the last 12h, or 7d.", metavar="AGE", default="7d"
            ),
            option(
                "by",
                "--by",
                help="A line for each day (of their start, in local time), model, directory or state.",
                type=p.UsageKey,
                metavar="KEY",
                default=p.UsageKey.DAY,
            ),
            *p.OBJECT_JSON,
        ),
    ),
    "demo": Verb(
        "verbs.system:demo",
        SYSTEM,
        "Run a whole turn offline: the real codex against a scripted model on this machine.",
        (switch("keep", "--keep", help="Keep the throw-away home and say where it is."),),
    ),
    "version": Verb("verbs.system:version", SYSTEM, "Print the versions of codex-server and of its codex."),
}
