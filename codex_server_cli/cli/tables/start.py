"""The verbs that start turns: their parameters."""

from __future__ import annotations

from typing import Final

from codex_server_cli.cli import parameters as p
from codex_server_cli.cli.parameters import argument, option, switch
from codex_server_cli.cli.verb import Verb

START = "Start"

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
}
