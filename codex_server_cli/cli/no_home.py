"""What a verb that lists says where `CODEX_SERVER_HOME` names no directory, and where there is nothing to list.

Both, because only one of them is told: that nothing runs is no news of a home that is not there. What names or waits
for a turn fails in place of this (`read.check_home`).
"""

from __future__ import annotations

from codex_server_cli.actions.read import read
from codex_server_cli.cli import output
from codex_server_cli.settings.places import Settings


def note_absent_home(settings: Settings) -> None:
    """Say on stderr that there is no such home, and what to do; nothing where there is one."""
    problem = read.absent_home(settings)
    if problem is not None:
        output.note_problem(problem)


def say_nothing(settings: Settings, text: str) -> None:
    """Print on stdout that there is nothing; not where there is no home either."""
    if read.absent_home(settings) is None:
        output.say(text)
