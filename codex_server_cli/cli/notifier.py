"""The face that a user's `--notify` command sees: one JSON document on its standard input. Owns what it is told.

Entry point of a process of its own, which a worker starts and does not wait for; its stderr is `worker.log`.
Must never import typer or rich: it runs once for each turn.
"""

from __future__ import annotations

import sys

from codex_server_cli.actions import answers, notify, read
from codex_server_cli.core.turn import State
from codex_server_cli.core.view import TurnView
from codex_server_cli.errors import NotFoundError
from codex_server_cli.render import documents
from codex_server_cli.settings.places import Settings


def main() -> None:
    """Tell the command of a turn what happened; `sys.argv` is the turn, the event, and of an attention the request."""
    turn_id, event, *request_ids = sys.argv[1:]
    try:
        view = read.status(read.find(Settings.load(), turn_id))
    except NotFoundError:  # deleted: nobody wants to know any more
        return
    if event == "end":
        notify.run_command(view, _dump(view, event, documents.status_with_answer(view)), event)
        return
    (request_id,) = request_ids
    pending = [documents.approval_request(turn_id, entry) for entry in answers.pending_of(view)]
    if view.state is State.RUNNING and any(entry.get("id") == request_id for entry in pending):
        document = {**documents.status(view), "request": request_id, "pending": pending}
        notify.run_command(view, _dump(view, event, document), event, request_id)
    else:
        print(f"notify: request {request_id} was decided before anybody could be told", file=sys.stderr)


def _dump(view: TurnView, event: str, document: dict[str, object]) -> str:
    return documents.dump({"version": 1, "turn_id": view.turn_id, "event": event, **document}, is_indented=False) + "\n"
