"""What the shell completes a turn with."""

from __future__ import annotations

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
