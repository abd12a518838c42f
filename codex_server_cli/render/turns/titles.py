"""The title of a turn for people: its name, or else the beginning of its prompt."""

from __future__ import annotations

from codex_server_cli.core.model.view import TurnView
from codex_server_cli.render.escape import one_line


def title(view: TurnView, prompt: str, width: int) -> str:
    """The title of a turn as one safe line of at most `width` characters; e.g. `review` if it has no prompt.

    Args:
        prompt: the beginning of the prompt, raw; "" if there is none.
    """
    name = view.meta.get("name")
    text = name if isinstance(name, str) and name else prompt if prompt.strip() else _kind(view)
    return one_line(text, width)


def _kind(view: TurnView) -> str:
    request = view.meta.get("request") or {}
    return "review" if request.get("review") is not None else "(no prompt)"
