"""Starting the user's command at a turn's end, and at each request that waits for a person (`--notify`).

Owns when it is run. The worker starts a notifier (`notifier`) without waiting for it; the notifier runs the command to
its end. Both are outside of the turn: they do not have the turn's mark, so no sweep ends them or their descendants.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from codex_server_cli.settings.environment import interpreter, notifier_environment
from codex_server_cli.worker.log import say

_CODE = "from codex_server_cli.worker.notifier import main; main()"


class Notifier:
    """Starts the notifiers of one turn. Runs in the worker; never blocks, never raises.

    Args:
        command: the user's command line, which the notifier reads in `meta.json`; None where there is none.
    """

    def __init__(self, turn_path: Path, command: str | None) -> None:
        self._turn_path = turn_path
        self._has_command = command is not None

    def attention(self, request_id: str) -> None:
        """A request has begun to wait for a person; `pending.json` has it."""
        self._start("attention", request_id)

    def end(self) -> None:
        """The end of the turn is published, and its lock released."""
        self._start("end")

    def _start(self, *event: str) -> None:
        if not self._has_command:
            return
        try:
            os.posix_spawn(
                sys.executable,
                interpreter(_CODE, str(self._turn_path), *event),
                notifier_environment(self._turn_path.parents[1]),
                setsid=True,
                setsigdef=[signal.SIGHUP, signal.SIGINT, signal.SIGTERM],
                setsigmask=[],
            )
        except OSError as error:  # no process: the turn goes on
            from codex_server_cli.disk.turn.writer import now
            from codex_server_cli.worker.notifier import NotifyRun, note

            say(f"notify: cannot be started: {error}")
            event_name, *request_ids = event
            run = NotifyRun(event_name, request_ids[0] if request_ids else None, now())
            note(self._turn_path, run._replace(ended_at=run.started_at, problem=f"cannot be started: {error.strerror}"))
