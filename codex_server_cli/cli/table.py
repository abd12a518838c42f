"""The table of verbs: what each takes, and where its function is. Owns the text of `--help`.

Both parsers of the command line read it. Must never import a verb's own module: only the one that is run is loaded.
"""

from __future__ import annotations

from typing import Final

from codex_server_cli.cli import parameters as p
from codex_server_cli.cli.parameters import argument, number, option, switch
from codex_server_cli.cli.verb import Verb

START, READ, CONTROL, ACCOUNT, SYSTEM = "Start", "Read", "Control", "Account", "System"


VERBS: Final[dict[str, Verb]] = {
    "new": Verb(
        "verbs.start:new", START, "Start a turn on a new thread and print its id.", (p.PROMPT, p.STDIN, *p.START_FLAGS)
    ),
    "continue": Verb(
        "verbs.start:continue_",
        START,
        "Start the next turn of a thread. Keeps its directory and model, never its sandbox.",
        (
            p.PROMPT,
            p.STDIN,
            p.LAST,
            p.THREAD,
            p.RESUMED_TURN,
            switch("fork", "--fork", help="Go on from a copy; with --turn, as it was after it."),
            switch("fork_if_busy", "--fork-if-busy", help="Fork only while the thread is busy."),
            *p.START_FLAGS,
        ),
    ),
    "review": Verb(
        "verbs.start:review",
        START,
        "Start a review of code as a turn: Codex's own reviewer, which reads and never writes.",
        (
            switch("uncommitted", "--uncommitted", help="Review what is uncommitted (default)."),
            option("base", "--base", help="Review what was changed since this branch.", metavar="BRANCH"),
            option("commit", "--commit", help="Review one commit.", metavar="SHA"),
            option("instructions", "--instructions", help="Review what the text, or - on stdin, says.", metavar="TEXT"),
            *p.REVIEW_FLAGS,
        ),
    ),
    "chat": Verb(
        "chat.verb:chat",
        START,
        "Converse at a terminal: every exchange is an ordinary turn that any other shell can follow.",
        (
            argument("prompt", help="The first message; none: type it."),
            p.CHAT_LAST,
            p.THREAD,
            p.RESUMED_TURN,
            *p.CHAT_FLAGS,
        ),
    ),
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
            p.FULL,
            p.LAST_CWD,
        ),
    ),
    "status": Verb(
        "verbs.status:status",
        READ,
        "Print where turns stand, as one JSON object.",
        (p.ANY_TURNS, p.FULL, p.FIELDS, p.LAST_CWD),
    ),
    "answer": Verb(
        "verbs.read:answer",
        READ,
        "Print the final answers of ended turns, and nothing else.",
        (
            p.TURNS,
            number("max_chars", "--max-chars", help="The first N characters; then where the rest is.", minimum=1),
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
            option("thread", "--thread", help="Only those of this thread, or name.", metavar="ID"),
            option("search", "--search", help="Only those whose prompt or name holds T.", metavar="T"),
            option("since", "--since", help="Only those started within the last 12h, or 7d.", metavar="AGE"),
            option("name", "--name", help="Only those whose name matches, like 'rev-*'.", metavar="GLOB"),
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
            *p.TABLE_JSON,
        ),
    ),
    "show": Verb(
        "verbs.lists:show",
        READ,
        "Show one thread: its facts and its last entries.",
        (
            argument(
                "thread", help="A thread's id, a unique prefix of it, or its name.", metavar="THREAD", is_required=True
            ),
            number("lines", "-n", help="How many of its last entries.", default=10),
            *p.OBJECT_JSON,
        ),
    ),
    "watch": Verb(
        "verbs.watch:watch",
        READ,
        "Watch turns on a live board, newest first; q quits. Where stdout is no terminal, a line for each phase.",
        (
            p.ONLY_CWD,
            p.STATE,
            number("limit", "--limit", help="How many at the most (default: as many as fit).", minimum=1),
        ),
    ),
    "cancel": Verb(
        "verbs.control:cancel",
        CONTROL,
        "Interrupt turns: their commands die too, what was received is kept. An ended turn stays as it is.",
        (
            p.SOME_TURNS,
            switch("is_all", "--all", help="All that run; with --cwd those of this directory."),
            p.FULL,
            p.LAST_CWD,
        ),
    ),
    "recover": Verb(
        "verbs.control:recover",
        CONTROL,
        "Ask Codex's own record for what an ended turn did not get; end with the turn's code.",
        (p.TURN, p.FULL, p.LAST_CWD),
    ),
    "pending": Verb(
        "verbs.approvals:pending",
        CONTROL,
        "Show what waits for your answer, in full, with the commands that give it.",
        (
            argument("turn", help="As elsewhere; none: all that run.", metavar="[TURN]", is_turn=True),
            *p.TEXT_JSON,
            p.LAST_CWD,
        ),
    ),
    "approve": Verb(
        "verbs.approvals:approve",
        CONTROL,
        "Allow what a turn asks for: a command, a patch, permissions, a tool.",
        (
            p.WAITING_TURN,
            p.REQUEST,
            switch("session", "--session", help="Allow the same again, for the rest of the turn."),
            p.FULL,
        ),
    ),
    "decline": Verb(
        "verbs.approvals:decline",
        CONTROL,
        "Refuse what a turn asks for; the turn goes on without it.",
        (p.TURN, p.REQUEST, p.FULL, p.LAST_CWD),
    ),
    "reply": Verb(
        "verbs.approvals:reply",
        CONTROL,
        "Answer what a turn asks in words: one --answer for each question, or several where several may be chosen.",
        (
            p.WAITING_TURN,
            p.REQUEST,
            option(
                "answer",
                "--answer",
                "-a",
                help="Question id and answer; of a single question A alone. - reads stdin.",
                metavar="Q=A",
                is_list=True,
            ),
            p.FULL,
        ),
    ),
    "steer": Verb(
        "verbs.approvals:steer",
        CONTROL,
        "Give a running turn more to consider; Codex breaks off the response under way for it.",
        (
            p.TURN,
            argument("text", help="What to tell Codex; what is piped in comes behind it."),
            argument("stdin", help="Read stdin to its end.", metavar="[-]"),
            option("file", "--file", "-F", help="Read it from a file.", metavar="FILE"),
            p.FULL,
            p.LAST_CWD,
        ),
    ),
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
        "Delete turns that ended some time ago, and what killed turns left. Running and named turns stay.",
        (
            option(
                "older_than", "--older-than", help="Like 7d or 12h (default: gc_days of config.json, 7).", metavar="AGE"
            ),
            switch("dry_run", "--dry-run", help="Only say what would be deleted."),
            switch("named", "--named", help="Delete turns that have a name, too."),
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

JSON_VERBS: Final = frozenset(
    {"new", "continue", "review", "status", "cancel", "recover", "approve", "decline", "reply", "steer"}
)
"""Verbs that print exactly one JSON object on stdout, also when they fail."""
