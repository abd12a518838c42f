"""`tail --all`: the stream of all turns, for a monitor or for a person. Shown line by line, as it comes."""

from __future__ import annotations

from collections.abc import Iterable

from codex_server_cli.actions import monitor
from codex_server_cli.cli import output
from codex_server_cli.core.notice import Notice
from codex_server_cli.errors import Exit, UsageError
from codex_server_cli.render import documents, views
from codex_server_cli.settings.places import Settings


def show_all(*, follows: bool, as_json: bool, after: int | None, forbidden: dict[str, bool]) -> Exit:
    """Show what happens to all turns; with `follows` until Ctrl-C, or until nobody reads our stdout any more.

    Args:
        after: the cursor to go on from.
        forbidden: what makes no sense here, by its name on the command line, and whether it was given.

    Raises:
        UsageError: something of that was.
    """
    given = [option for option, is_given in forbidden.items() if is_given]
    if given:
        raise UsageError(f"--all shows what happens to all turns: it takes no {', '.join(given)}")
    stream = monitor.stream(
        Settings.load(), after, follows=follows, warn=lambda text: output.note(f"codex-server: {text}")
    )
    show_notices(stream, as_json=as_json)
    return Exit.OK


def show_notices(stream: Iterable[Notice | None], *, as_json: bool) -> None:
    """Show a stream line by line, for as long as somebody reads our stdout."""
    for notice in stream:
        if notice is None:
            if output.is_reader_gone():
                raise output.ReaderGoneError
        elif as_json:
            output.show(documents.dump(documents.notice(notice), is_indented=False) + "\n")
        else:
            output.show(views.notice_line(notice) + "\n")
