"""Messages of listing verbs if `CODEX_SERVER_HOME` is not a directory, and if there is nothing to list.

In one module, because only one of them is printed: an empty list is meaningless without a home. Verbs that name or wait
for a turn fail instead (`read.check_home`).
"""

from __future__ import annotations

from codex_server_cli.actions.read import read
from codex_server_cli.cli import output
from codex_server_cli.settings.places import Settings


def note_absent_home(settings: Settings) -> None:
    """Print on stderr that the home does not exist, and what to do; nothing if it exists."""
    problem = read.absent_home(settings)
    if problem is not None:
        output.note_problem(problem)


def say_nothing(settings: Settings, text: str) -> None:
    """Print on stdout that there is nothing, unless the home does not exist."""
    if read.absent_home(settings) is None:
        output.say(text)
