"""The first lines that run. Spawns the worker of `new` and `continue` before anything heavy is imported.

The worker's interpreter then starts while ours imports typer and reads the command line. Must never grow an import.
"""

from __future__ import annotations

import os
import sys

STARTING_VERBS = ("new", "continue")


def main() -> None:
    """Entry point of `codex-server`."""
    if sys.platform == "win32":
        sys.exit("codex-server: Windows is supported through WSL only")
    _open_standard_streams()
    try:
        sys.exit(_run(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)  # while we were still importing


def _run(arguments: list[str]) -> int:
    launch = None
    if arguments and arguments[0] in STARTING_VERBS:
        from codex_server_cli.actions.prepare import prepare

        launch = prepare()

    from codex_server_cli.cli.app import run

    return run(arguments, launch)


def _open_standard_streams() -> None:
    """Where the caller closed one (`>&-`), put the null device there: else a pipe of ours would take its number."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115 — a descriptor, for good
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
