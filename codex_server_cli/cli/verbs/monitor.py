"""`tail --all`: the stream of all turns, for a monitor or for people. Shown line by line, as events arrive."""

from __future__ import annotations

from collections.abc import Iterable

from codex_server_cli.actions.read import monitor, read
from codex_server_cli.cli import output
from codex_server_cli.cli.no_home import note_absent_home
from codex_server_cli.core.documents import turn as turn_documents
from codex_server_cli.core.model.monitor_event import MonitorEvent
from codex_server_cli.errors import Exit, UsageError
from codex_server_cli.render import notes
from codex_server_cli.settings.places import Settings


def show_all(*, follows: bool, as_json: bool, is_full: bool, after: int | None, forbidden: dict[str, bool]) -> Exit:
    """Show the events of all turns; with `follows` also new ones, until Ctrl-C or until the reader of stdout is gone.

    Args:
        after: the cursor to resume from; None for all stored events, with `follows` for those of the running turns.
        forbidden: the flags that do not apply here, by name, and whether each was given.

    Raises:
        UsageError: one of them was.
        NotFoundError: there is no home to follow.
    """
    given = [option for option, is_given in forbidden.items() if is_given]
    if given:
        raise UsageError(f"--all shows what happens to all turns: it takes no {', '.join(given)}")
    settings = Settings.load()
    if follows:
        read.check_home(settings)
        if output.is_terminal() and after is None and not read.running(settings):
            output.note("Nothing runs; each turn to come gets its lines here. Ctrl-C ends this.")
    else:
        note_absent_home(settings)
        after = 0 if after is None else after
    stream = monitor.stream(settings, after, follows=follows, warn=output.note_if)
    has_any = show_events(stream, as_json=as_json, is_full=is_full)
    if not (has_any or as_json or after or read.absent_home(settings)):
        output.note("Nothing has happened yet.")
    return Exit.OK


def show_events(stream: Iterable[MonitorEvent | None], *, as_json: bool, is_full: bool = False) -> bool:
    """Show a stream line by line, until the reader of stdout is gone.

    Returns:
        Whether there was any event.
    """
    has_any = False
    for event in stream:
        has_any = has_any or event is not None
        if event is None:
            if output.is_reader_gone():
                raise output.ReaderGoneError
        elif as_json:
            document = turn_documents.event(event, is_full=is_full)
            output.show(turn_documents.dump(document, is_indented=False) + "\n")
        else:
            output.show(notes.event_line(event) + "\n")
    return has_any
