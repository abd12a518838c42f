"""The first lines that run. Spawns the worker of a starting verb before anything heavy is imported.

The worker's interpreter then starts while ours imports typer and reads the command line. Must never grow an import.
"""

from __future__ import annotations

import gc
import os
import sys

from codex_server_cli.settings.environment import UTF8, import_path, make_paths_absolute

STARTING_VERBS = ("new", "continue", "review")
_GC_THRESHOLD = 100_000
"""The usual 700 makes the collector walk over every freshly imported class again and again: 5 ms of each command."""


def main() -> None:
    """Entry point of `codex-server`."""
    if sys.platform == "win32":
        sys.exit("codex-server: Windows is supported through WSL only")
    gc.set_threshold(_GC_THRESHOLD)
    sys.path[:] = import_path()  # before anything else is imported: a `calendar.py` on PYTHONPATH is none of ours
    if sys.getfilesystemencoding() != "utf-8":  # PYTHONUTF8=0, or a locale of old: the prompt may have umlauts
        os.execv(sys.executable, [sys.executable, *UTF8, *sys.orig_argv[1:]])
    if sys.warnoptions:  # PYTHONWARNINGS=error is for the user's own programs
        import warnings

        warnings.simplefilter("ignore")
    _open_standard_streams()
    make_paths_absolute()
    told: list[int] = []
    if os.getpid() == 1:
        _hear_as_init(told)
    try:
        code = _run(sys.argv[1:])
    except SystemExit:
        code = 1  # told to stop: see below
    except KeyboardInterrupt:
        code = 130  # while we were still importing
    except OSError as error:  # with so little room that our own modules cannot be opened
        print(
            f"codex-server: cannot start: {error.strerror}\nRaise the limit of open files: ulimit -n", file=sys.stderr
        )
        code = 75
    _leave(128 + told[0] if told else code)


def _hear_as_init(told: list[int]) -> None:
    """Let SIGTERM and SIGHUP end us in order. What ends others by itself the kernel keeps from a container's process 1.

    Args:
        told: gets the number of the signal.
    """
    import signal

    def stop(signum: int, _frame: object) -> None:
        told.append(signum)
        raise SystemExit

    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, stop)


def _run(arguments: list[str]) -> int:
    launch = None
    if arguments and arguments[0] in STARTING_VERBS:
        from codex_server_cli.actions.control.prepare import prepare

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
