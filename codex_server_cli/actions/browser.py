"""Opening a page in the user's browser. Owns the process that does it; must never be waited for, nor fail a command.

Python's own `webbrowser` does the finding, in a process of its own: it may block for as long as the browser runs, and
what the browser prints belongs into nobody's stdout.
"""

from __future__ import annotations

import os
import sys

from codex_server_cli.settings.environment import browser_environment


def open_page(url: str) -> bool:
    """Open a page, if this machine seems to have a browser that can show it; whether that was tried."""
    environment = browser_environment()
    if environment is None:
        return False
    try:
        os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-m", "webbrowser", url],
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDWR, 0),
                (os.POSIX_SPAWN_DUP2, 0, 1),
                (os.POSIX_SPAWN_DUP2, 0, 2),
            ],
            setsid=True,  # Ctrl-C cancels the login, and closes nobody's browser
        )
    except OSError:  # no room for a process: the page's address is told all the same
        return False
    return True
