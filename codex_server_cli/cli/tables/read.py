"""The verbs that read turns and threads: their parameters."""

from __future__ import annotations

from typing import Final

from codex_server_cli.cli import parameters as p
from codex_server_cli.cli.parameters import argument, number, option, switch
from codex_server_cli.cli.verb import Verb

READ = "Read"

VERBS: Final[dict[str, Verb]] = {
    "tail": Verb(
        "verbs.read:tail",
        READ,
        "Show what turns have said so far, or one as it goes on; or what happens to all.",
        (
            p.SOME_TURNS,
            switch("is_all", "--all", help="What happened to all turns: phases, ends; -f: future ones too."),
            switch("follows", "--follow", "-f", help="Go on as it grows; end with the turn's code."),
            number("lines", "-n", help="Begin with the last N lines."),
            switch("events", "--events", help="The event stream instead of the text."),
            switch("json", "--json", help="The same as --events: one JSON object a line."),
            number("after", "--after", help="Only events with a higher seq; with --all, a cursor.", metavar="CURSOR"),
            switch("no_deltas", "--no-deltas", help="Leave out the pieces of streamed text."),
            p.FULL,
            p.RAW,
            p.LAST_CWD,
        ),
    ),
    "wait": Verb(
        "verbs.read:wait",
        READ,
        "Sleep until turns have ended; print them and end with their code.",
        (
            p.TURNS,
            switch("is_any", "--any", help="Of several: until the first of them has ended."),
            switch("is_all", "--all", help="Of several: until all have ended; the default."),
            p.UNTIL,
            option("timeout", "--timeout", help="Stop waiting after S seconds, or 5m (124).", metavar="S"),
            p.PRINTED,
            switch("json", "--json", help="The same as --print json."),
            p.FULL,
            p.RAW,
            p.LAST_CWD,
        ),
    ),
    "status": Verb(
        "verbs.status:status",
        READ,
        "Print where turns stand; in a pipe as one JSON object.",
        (p.ANY_TURNS, p.JSON, p.FULL, p.FIELDS, p.LAST_CWD),
    ),
    "answer": Verb(
        "verbs.read:answer",
        READ,
        "Print the final answers of ended turns, and nothing else.",
        (
            p.TURNS,
            number("max_chars", "--max-chars", help="The first N characters; then where the rest is.", minimum=1),
            p.RAW,
            p.LAST_CWD,
        ),
    ),
    "diff": Verb(
        "verbs.diff:diff",
        READ,
        "Print what a turn changed, so far or at its end, as a diff that git apply accepts.",
        (
            p.TURN,
            switch("stat", "--stat", help="A line for each file, and how much changed in it."),
            switch("name_only", "--name-only", help="The names of the files."),
            switch("json", "--json", help="One JSON object: the files, and the diff."),
            p.FULL,
            p.LAST_CWD,
        ),
    ),
    "list-turns": Verb(
        "verbs.lists:list_turns",
        READ,
        "List turns, newest first.",
        (
            p.LIMIT,
            p.STATE,
            p.ONLY_CWD,
            option(
                "thread", "--thread", help="Only those of this thread, or name.", metavar="ID", offers=p.Offer.THREADS
            ),
            option("search", "--search", help="Only those whose prompt or name holds T.", metavar="T"),
            option("since", "--since", help="Only those started within the last 12h, or 7d.", metavar="AGE"),
            option("name", "--name", help="Only those whose name matches, like 'rev-*'.", metavar="GLOB"),
            p.LONG,
            *p.TABLE_JSON,
        ),
    ),
    "list": Verb(
        "verbs.lists:list_",
        READ,
        "List Codex's own recent threads, newest first.",
        (
            p.LIMIT,
            p.ONLY_CWD,
            option("search", "--search", help="Only those whose first prompt holds T.", metavar="T"),
            p.LONG,
            *p.TABLE_JSON,
        ),
    ),
    "show": Verb(
        "verbs.lists:show",
        READ,
        "Show one turn, or one thread of Codex: its facts and its last entries.",
        (
            argument(
                "which",
                help="A turn as elsewhere; or a thread's id, a unique prefix or end of it, or its name.",
                metavar="TURN|THREAD",
                is_required=True,
                offers=p.Offer.TURNS,
            ),
            number("lines", "-n", help="How many of its last entries.", default=10),
            *p.OBJECT_JSON,
            p.LAST_CWD,
        ),
    ),
    "watch": Verb(
        "verbs.watch:watch",
        READ,
        "Watch turns on a live board; read, approve, answer, cancel them: ? lists the keys. In a pipe a line a phase.",
        (
            p.ONLY_CWD,
            p.STATE,
            number("limit", "--limit", help="How many at the most (default: all).", minimum=1),
        ),
    ),
}
