"""One turn or one thread, with its entries. Must never print."""

from __future__ import annotations

from typing import NamedTuple

from codex_server_cli.actions.read import read
from codex_server_cli.actions.start import threads
from codex_server_cli.core.history.entries import ThreadEntry
from codex_server_cli.core.history.turn_entries import turn_entries
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.protocol.event_log import read_events
from codex_server_cli.disk.codex_sessions import read_tail
from codex_server_cli.disk.turn.contents import event_lines
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.settings.places import Settings


class ShownTurn(NamedTuple):
    """A turn, the beginning of its prompt, and its last entries, oldest first."""

    view: TurnView
    prompt: str
    entries: tuple[ThreadEntry, ...]


def show(settings: Settings, selector: str, cwd: str | None, *, limit: int) -> ShownTurn | threads.ThreadView:
    """The turn that a selector names, else the thread, and its last `limit` messages, commands and changes.

    Raises:
        NotFoundError: neither, or several.
        HomeError: it is another user's.
    """
    found = threads.find_either(settings, selector, cwd)
    if not isinstance(found, TurnDir):
        return threads.ThreadView(found, read_tail(found, limit=limit))
    view = read.readable(found)
    read.refuse_unless_readable(found, found.events)
    entries = turn_entries(read_events(event_lines(found)))
    return ShownTurn(view, read.prompt_beginning(view), tuple(entries[-limit:]) if limit > 0 else ())
