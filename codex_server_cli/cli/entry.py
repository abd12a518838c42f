"""The first lines that run. Spawns the worker of a starting verb before anything heavy is imported.

The worker's interpreter then starts while ours imports typer and reads the command line. Must never grow an import.
"""

from __future__ import annotations

import gc
import os
import sys

from codex_server_cli.settings.environment import make_paths_absolute

STARTING_VERBS = ("new", "continue", "review")
_GC_THRESHOLD = 100_000
"""The usual 700 makes the collector walk over every freshly imported class again and again: 5 ms of each command."""


def main() -> None:
    """Entry point of `codex-server`."""
    if sys.platform == "win32":
        sys.exit("codex-server: Windows is supported through WSL only")
    gc.set_threshold(_GC_THRESHOLD)
    _open_standard_streams()
    make_paths_absolute()
    try:
        code = _run(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130  # while we were still importing
    _leave(code)


def _run(arguments: list[str]) -> int:
    launch = None
    if arguments and arguments[0] in STARTING_VERBS:
        from codex_server_cli.actions.prepare import prepare

        launch = prepare()

    from codex_server_cli.cli.app import run

    return run(arguments, launch)


def _leave(code: int) -> None:
    """End here: tidying an interpreter that goes away anyhow takes 7 ms."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # its reader is gone, or it is closed: whoever wrote has told
            continue
    os._exit(code)


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
