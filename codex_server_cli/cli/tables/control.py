"""The verbs that act on a turn: their parameters."""

from __future__ import annotations

from typing import Final

from codex_server_cli.cli import parameters as p
from codex_server_cli.cli.parameters import argument, option, switch
from codex_server_cli.cli.verb import Verb

CONTROL = "Control"

VERBS: Final[dict[str, Verb]] = {
    "cancel": Verb(
        "verbs.control:cancel",
        CONTROL,
        "Interrupt turns: their commands die too, what was received is kept. An ended turn stays as it is.",
        (
            p.RUNNING_TURNS,
            switch("is_all", "--all", help="All that run; with --cwd those of this directory."),
            p.JSON,
            p.FULL,
            p.LAST_CWD,
        ),
    ),
    "recover": Verb(
        "verbs.control:recover",
        CONTROL,
        "Ask Codex's own record for what an ended turn did not get; end with the turn's code.",
        (p.ENDED_TURN, p.JSON, p.FULL, p.LAST_CWD),
    ),
    "apply": Verb(
        "verbs.control:apply",
        CONTROL,
        "Bring what a turn changed in its worktree back into your files, uncommitted; 1 where that conflicts.",
        (p.WORKTREE_TURN, p.JSON, p.FULL, p.LAST_CWD),
    ),
    "pending": Verb(
        "verbs.approvals:pending",
        CONTROL,
        "Show what waits for your answer, in full, with the commands that give it.",
        (
            argument("turn", help="As elsewhere; none: all that run.", metavar="[TURN]", offers=p.Offer.WAITING),
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
            p.JSON,
            p.FULL,
        ),
    ),
    "decline": Verb(
        "verbs.approvals:decline",
        CONTROL,
        "Refuse what a turn asks for; the turn goes on without it.",
        (p.ASKING_TURN, p.REQUEST, p.JSON, p.FULL, p.LAST_CWD),
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
            p.JSON,
            p.FULL,
        ),
    ),
    "steer": Verb(
        "verbs.approvals:steer",
        CONTROL,
        "Give a running turn more to consider; Codex breaks off the response under way for it.",
        (
            p.RUNNING_TURN,
            argument("text", help="What to tell Codex; what is piped in comes behind it."),
            argument("stdin", help="Read stdin to its end.", metavar="[-]"),
            option("file", "--file", "-F", help="Read it from a file.", metavar="FILE", offers=p.Offer.FILES),
            p.JSON,
            p.FULL,
            p.LAST_CWD,
        ),
    ),
}
