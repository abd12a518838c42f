"""The command line: the table of verbs, and the one place where errors become exit codes.

Only the module of the requested verb is imported and inspected, because start-up is a feature; help and completion
load them all. Must never hold a verb's own logic.
"""

from __future__ import annotations

import errno
import importlib
import os
from typing import Annotated, Any, Final

import typer

from codex_server_cli import __version__
from codex_server_cli.cli import output
from codex_server_cli.errors import (
    BadInputError,
    BusyError,
    CodexServerError,
    ErrorKind,
    Exit,
    HomeError,
    InternalError,
    UsageError,
)

VERBS: Final[dict[str, tuple[str, str, str]]] = {
    # verb: (module, function, panel)
    "new": ("verbs.start", "new", "Start"),
    "continue": ("verbs.start", "continue_", "Start"),
    "review": ("verbs.start", "review", "Start"),
    "chat": ("chat.verb", "chat", "Start"),
    "tail": ("verbs.read", "tail", "Read"),
    "wait": ("verbs.read", "wait", "Read"),
    "status": ("verbs.status", "status", "Read"),
    "answer": ("verbs.read", "answer", "Read"),
    "list-turns": ("verbs.lists", "list_turns", "Read"),
    "list": ("verbs.lists", "list_", "Read"),
    "show": ("verbs.lists", "show", "Read"),
    "watch": ("verbs.watch", "watch", "Read"),
    "cancel": ("verbs.control", "cancel", "Control"),
    "recover": ("verbs.control", "recover", "Control"),
    "pending": ("verbs.approvals", "pending", "Control"),
    "approve": ("verbs.approvals", "approve", "Control"),
    "decline": ("verbs.approvals", "decline", "Control"),
    "reply": ("verbs.approvals", "reply", "Control"),
    "steer": ("verbs.approvals", "steer", "Control"),
    "login": ("verbs.account", "login", "Account"),
    "logout": ("verbs.account", "logout", "Account"),
    "account": ("verbs.account", "account", "Account"),
    "limits": ("verbs.account", "limits", "Account"),
    "models": ("verbs.account", "models", "Account"),
    "setup": ("verbs.system", "setup", "System"),
    "doctor": ("verbs.system", "doctor", "System"),
    "gc": ("verbs.system", "gc", "System"),
    "demo": ("verbs.system", "demo", "System"),
    "version": ("verbs.system", "version", "System"),
}
_OF_THE_USERS_SYSTEM = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOTDIR)
_NO_ROOM = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
_PROMPT_VERBS = ("new", "continue", "chat", "steer")
_PROMPT_HINTS = {  # by the beginning of click's message
    "Got unexpected extra argument": "Quote the prompt, so that your shell hands it over as one word. ",
    "No such option": "A prompt that begins with - comes after --. ",
}
_REVIEW_HINT = "A review has no prompt, schema, images, sandbox or approvals; --instructions says what to look at. "
JSON_VERBS: Final = frozenset(
    {"new", "continue", "review", "status", "cancel", "recover", "approve", "decline", "reply", "steer"}
)
"""Verbs that print exactly one JSON object on stdout, also when they fail."""

_HELP = (
    "Run OpenAI Codex turns that never make a shell wait.\n\n`new` answers with a turn id in a tenth of a second; "
    "a detached worker drives Codex; any other shell can read, follow or cancel the turn."
)


_EPILOG = (
    "Exit codes: 0 complete, 1 failed, 2 not logged in, 3 abandoned, 4 cancelled, 5 needs an answer, 64 usage, "
    "65 bad input, 66 no such turn or thread, 69 no codex, 73 cannot write, 75 busy, 124 still running, 130 Ctrl-C."
)


def run(arguments: list[str], launch: object = None) -> int:
    """Run one command line and return its exit code. No traceback ever reaches the user.

    Args:
        arguments: the arguments after the program's name.
        launch: the worker that is being prepared, for a verb that starts a turn.
    """
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:2], "--help"]
    verb = arguments[0] if arguments and arguments[0] in VERBS else None
    try:
        return _run(arguments, verb, launch)
    except CodexServerError as error:
        return _fail(error, verb)
    except output.ReaderGoneError:
        output.abandon_stdout()
        return Exit.OK
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except OSError as error:
        return _fail(_error_of_system(error), verb)
    except Exception as error:
        hint = "Please report it, with this line and what you ran."
        return _fail(InternalError(f"a defect of codex-server: {type(error).__name__}: {error}", hint=hint), verb)


def _error_of_system(error: OSError) -> CodexServerError:
    """The error for a system call that failed, where the verb itself did not handle it."""
    try:
        os.getcwd()  # noqa: PTH109 — only to see whether it exists
    except OSError:
        return BadInputError("the current directory is gone", hint="Go to another one, or name directories absolutely.")
    if error.errno in _OF_THE_USERS_SYSTEM:
        where = error.filename if error.filename is not None else "stdout"
        hint = "Look at its owner and its disk, or set CODEX_SERVER_HOME to a directory of your own."
        return HomeError(f"cannot use {where}: {error.strerror}", hint=hint)
    if error.errno in _NO_ROOM:
        hint = "End something, or raise the limit (ulimit -n for files, ulimit -u for processes); then run this again."
        return BusyError(f"this command has no room: {error.strerror}", hint=hint, kind=ErrorKind.OVERLOADED)
    hint = "Please report it, with this line and what you ran."
    return InternalError(f"a defect of codex-server: {type(error).__name__}: {error}", hint=hint)


def _run(arguments: list[str], verb: str | None, launch: object) -> int:
    try:
        command: Any = typer.main.get_command(build(verb))
        result = command.main(arguments or ["--help"], prog_name="codex-server", standalone_mode=False, obj=launch)
    except typer.Abort:
        return Exit.INTERRUPTED
    except typer.TyperException as error:
        raise _usage_error(error) from error
    return result if isinstance(result, int) else Exit.OK


def build(verb: str | None) -> typer.Typer:
    """The typer application with one verb, or with all of them."""
    app = typer.Typer(
        help=_HELP,
        epilog=_EPILOG,
        invoke_without_command=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(_global_options)  # also keeps it a group when only one verb is loaded
    for name in VERBS if verb is None else (verb,):
        module, function, panel = VERBS[name]
        command = getattr(importlib.import_module(f"codex_server_cli.cli.{module}"), function)
        app.command(name, rich_help_panel=panel)(command)
    return app


def _global_options(
    version: Annotated[bool, typer.Option("--version", "-V", help="Show the version and exit.", is_eager=True)] = False,
) -> None:
    if version:
        output.show(f"codex-server {__version__}\n")
        raise typer.Exit


def _usage_error(error: typer.TyperException) -> CodexServerError:
    message = getattr(error, "format_message", lambda: str(error))()
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "codex-server"
    hints = [hint for beginning, hint in _PROMPT_HINTS.items() if message.startswith(beginning)]
    about_prompt = hints[0] if hints and path.split()[-1] in _PROMPT_VERBS else ""
    if hints and path.split()[-1] == "review":
        about_prompt = _REVIEW_HINT
        message = message.partition(" (Possible options")[0]  # click suggests unrelated options
    return UsageError(message.rstrip("."), hint=f"{about_prompt}Try: {path} --help")


def _fail(error: CodexServerError, verb: str | None) -> int:
    if isinstance(error, UsageError) and not error.hint:
        error.hint = f"Try: codex-server {verb} --help" if verb else "Try: codex-server --help"
    output.show_error(error, as_json=verb in JSON_VERBS)
    return error.exit_code
