"""Opening a page in the user's browser. Owns that process; must never block a command, nor make one fail.

Python's `webbrowser` runs in a separate process, because it may block for as long as the browser runs, and the
browser's output must not reach our stdout.
"""

from __future__ import annotations

import os
import sys

from codex_server_cli.settings.environment import browser_environment


def open_page(url: str) -> bool:
    """Open a page, if this machine seems to have a graphical browser; return whether that was tried."""
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
            setsid=True,  # Ctrl-C cancels the login, but must not close the browser
        )
    except OSError:  # the process table is full: the URL is printed anyway
        return False
    return True
