"""What `apply` and `recover` did to an ended turn, for a terminal. Must never decide what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from codex_server_cli.core.model.unified_diff import quoted
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.result.next_step import next_command
from codex_server_cli.render.escape import neutralise
from codex_server_cli.render.style.ink import Style
from codex_server_cli.render.style.wrap import Display, arrowed, wrapped
from codex_server_cli.render.turns.states import look, state_words

_INDENT = "  "
_MARK_OF = {"add": ("+", Style.GREEN), "delete": ("−", Style.RED)}
_CHANGED = ("±", Style.YELLOW)


def applied(
    short_id: str,
    changes: Sequence[tuple[str, str]],
    conflicts: Sequence[str],
    message: str,
    command: str,
    display: Display,
) -> str:
    """The changes that were applied to the user's files; ends with a newline.

    Args:
        changes: path and kind of each file that was written.
        conflicts: the files with conflict markers, or that cannot be merged.
        message: the result in words.
        command: shows what was written; "" if nothing was.
    """
    glyph, style = ("!", Style.WARNING) if conflicts else ("✓", Style.GREEN)
    first, *more = wrapped(neutralise(message), display.width - len(glyph) - len(short_id) - 2)
    lines = [f"{display.ink(f'{glyph} {short_id}', style)} {first}", *(_INDENT + line for line in more)]
    for path, kind in changes:
        mark, style = ("!", Style.WARNING) if path in conflicts else _MARK_OF.get(kind, _CHANGED)
        lines.append(f"{_INDENT}{display.ink(mark, style)} {neutralise(quoted(path))}")
    missing = [path for path in conflicts if path not in dict(changes)]
    lines += [f"{_INDENT}{display.ink('!', Style.WARNING)} {neutralise(quoted(path))}" for path in missing]
    return "\n".join(lines + arrowed(neutralise(command), display)) + "\n"


def recovered(view: TurnView, short_id: str, message: str, display: Display, *, is_recovered: bool) -> str:
    """What was recovered from Codex's record of a turn; ends with a newline.

    Args:
        view: the turn afterwards.
        message: what was found, or why nothing was.
    """
    glyph, style = ("✓", Style.GREEN) if is_recovered else look(view)
    lines = [display.ink(f"{glyph} {short_id} {'recovered' if is_recovered else neutralise(state_words(view))}", style)]
    lines += wrapped(neutralise(message), display.width, _INDENT)
    command = next(iter(next_command(view._replace(turn_id=short_id), has_asked_codex=True).values()), "")
    return "\n".join(lines + arrowed(neutralise(command), display)) + "\n"
