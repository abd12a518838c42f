"""Parameters that several verbs share, and their shell completion."""

from __future__ import annotations

from typing import Annotated

import typer

_COMPLETIONS = 20


def complete_turn(incomplete: str) -> list[tuple[str, str]]:
    """The newest turns whose id or name has this prefix, each with the beginning of its prompt."""
    from codex_server_cli.actions.read import read
    from codex_server_cli.errors import CodexServerError
    from codex_server_cli.render.escape import one_line
    from codex_server_cli.settings.places import Settings

    found = []
    try:
        views = read.list_turns(Settings.load(), _COMPLETIONS, read.TurnFilter())
    except CodexServerError:  # the home cannot be read; completion shows no errors
        views = []
    for view in views:
        prompt = one_line(read.prompt_beginning(view), 60)
        found += [(word, prompt) for word in (view.turn_id, str(view.meta.get("name") or "")) if word]
    return [
        (word, prompt)
        for word, prompt in (*found, ("last", "the newest of this directory"))
        if word.startswith(incomplete)
    ]


_HELP = "An id, a unique prefix of one, a name, or last."
Turn = Annotated[str, typer.Argument(metavar="TURN", help=_HELP, autocompletion=complete_turn)]
WaitingTurn = Annotated[
    str, typer.Argument(metavar="TURN", help="An id, a unique prefix of one, or a name.", autocompletion=complete_turn)
]
Turns = Annotated[list[str], typer.Argument(metavar="TURN...", help=_HELP, autocompletion=complete_turn)]
AnyTurns = Annotated[
    list[str] | None,
    typer.Argument(metavar="[TURN]...", help="As elsewhere; none: those that run now.", autocompletion=complete_turn),
]
SomeTurns = Annotated[
    list[str] | None,
    typer.Argument(metavar="TURN...", help=_HELP, autocompletion=complete_turn),
]
LastCwd = Annotated[str | None, typer.Option("--cwd", "-C", metavar="DIR", help="The directory whose turn last means.")]
