"""The first lines that run. Spawns the worker of `new` and `continue` before anything heavy is imported.

The worker's interpreter then starts while ours imports typer and reads the command line. Must never grow an import.
"""

from __future__ import annotations

import sys

STARTING_VERBS = ("new", "continue")


def main() -> None:
    """Entry point of `codex-server`."""
    if sys.platform == "win32":
        sys.exit("codex-server: Windows is supported through WSL only")
    arguments = sys.argv[1:]
    launch = None
    if arguments and arguments[0] in STARTING_VERBS:
        from codex_server_cli.actions.prepare import prepare

        launch = prepare()

    from codex_server_cli.cli.app import run

    sys.exit(run(arguments, launch))
