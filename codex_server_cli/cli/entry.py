"""The entry point. Spawns the worker of a starting verb before anything heavy is imported.

The worker's interpreter then starts while ours reads the command line. Must never gain an import.
"""

from __future__ import annotations

import gc
import os
import sys

from codex_server_cli.settings.environment import UTF8, import_path, make_paths_absolute

STARTING_VERBS = ("new", "continue", "review")
_GC_THRESHOLD = 100_000
"""The default of 700 makes the garbage collector rescan newly imported classes: 5 ms for each command."""


def main() -> None:
    """Entry point of `codex-server`."""
    if sys.platform == "win32":
        sys.exit("codex-server: Windows is supported through WSL only")
    gc.set_threshold(_GC_THRESHOLD)
    sys.path[:] = import_path()  # before any other import: a `calendar.py` on PYTHONPATH must not be imported
    if sys.getfilesystemencoding() != "utf-8":  # PYTHONUTF8=0, or a legacy locale: the prompt may be non-ASCII
        os.execv(sys.executable, [sys.executable, *UTF8, *sys.orig_argv[1:]])
    if sys.warnoptions:  # PYTHONWARNINGS=error is for the user's own programs
        import warnings

        warnings.simplefilter("ignore")
    is_stdout_closed = _open_standard_streams()
    make_paths_absolute()
    received: list[int] = []
    if os.getpid() == 1:
        _handle_signals_as_init(received)
    try:
        code = _run(sys.argv[1:], is_stdout_closed=is_stdout_closed)
    except SystemExit:
        code = 1  # a signal of `_handle_signals_as_init`: see below
    except KeyboardInterrupt:
        code = 130  # during the imports
    except OSError as error:  # too few file descriptors to open our own modules
        print(
            f"codex-server: cannot start: {error.strerror}\nRaise the limit of open files: ulimit -n", file=sys.stderr
        )
        code = 75
    _leave(128 + received[0] if received else code)


def _handle_signals_as_init(received: list[int]) -> None:
    """Exit cleanly at SIGTERM and SIGHUP: the kernel applies no default action to process 1 of a container.

    Args:
        received: the number of the signal is appended to it.
    """
    import signal

    def stop(signum: int, _frame: object) -> None:
        received.append(signum)
        raise SystemExit

    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, stop)


def _run(arguments: list[str], *, is_stdout_closed: bool) -> int:
    launch = None
    if arguments and arguments[0] in STARTING_VERBS:
        from codex_server_cli.actions.control.prepare import prepare

        launch = prepare()

    from codex_server_cli.settings.held_signals import hold

    hold()  # until the verb is loaded
    from codex_server_cli.settings.light_imports import load_pathlib, load_typing

    load_pathlib()
    load_typing()
    from codex_server_cli.cli.app import run

    return run(arguments, launch, is_stdout_closed=is_stdout_closed)


def _leave(code: int) -> None:
    """Exit at once: the interpreter's own shutdown takes 7 ms."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # its reader is gone, or it is closed: already reported by the write
            continue
    os._exit(code)


def _open_standard_streams() -> bool:
    """Replace a standard stream that the caller closed (`>&-`) by the null device: else a pipe would get its number.

    Returns:
        Whether stdout was closed.
    """
    is_stdout_closed = False
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
            is_stdout_closed = is_stdout_closed or fd == 1
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115 — never closed
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
    return is_stdout_closed
