"""Running one command line: parse it, load the verb's module, and turn errors into exit codes, in one place.

Only the module of the requested verb is imported, and typer only for what `light_parser` declines, to start fast. Must
never contain a verb's own logic.
"""

from __future__ import annotations

import errno
import os
from typing import Any

from codex_server_cli.cli import light_parser, output
from codex_server_cli.cli.table import JSON_VERBS, READING_VERBS, VERBS, verb_of
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
from codex_server_cli.settings.environment import is_completing
from codex_server_cli.settings.held_signals import release

_OF_THE_USERS_SYSTEM = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOTDIR)
_NO_ROOM = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)

_JSON_FLAGS = frozenset({"--json", "--full", "--fields"})


def run(arguments: list[str], launch: object = None, *, is_stdout_closed: bool = False) -> int:
    """Run one command line and return its exit code. No traceback ever reaches the user.

    Args:
        arguments: the arguments after the program's name.
        launch: the worker that is being prepared, for a verb that starts a turn.
        is_stdout_closed: the caller has closed it, and it is replaced by the null device.
    """
    if is_completing():
        return _complete()
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:3], "--help"]
    verb = verb_of(arguments)
    try:
        return _run(arguments, verb, launch, is_stdout_closed=is_stdout_closed)
    except CodexServerError as error:
        return _fail(error, verb, arguments)
    except output.ReaderGoneError:
        output.abandon_stdout()
        return Exit.OK
    except (KeyboardInterrupt, EOFError):  # Ctrl-D is the answer to a question that a verb asks
        return Exit.INTERRUPTED
    except OSError as error:
        return _fail(_error_of_system(error), verb, arguments)
    except Exception as error:
        hint = "Please report it, with this line and what you ran."
        return _fail(
            InternalError(f"a defect of codex-server: {type(error).__name__}: {error}", hint=hint), verb, arguments
        )


def _complete() -> int:
    """Answer a shell at TAB; on an error offer nothing: a message would appear in the line being typed."""
    try:
        from codex_server_cli.cli.completion.shells import answer

        return answer()
    except Exception:
        return Exit.FAILED


def _error_of_system(error: OSError) -> CodexServerError:
    """The error for a failed system call that the verb itself did not handle."""
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


def _run(arguments: list[str], verb: str | None, launch: object, *, is_stdout_closed: bool) -> int:
    parsed = parse(arguments, verb)
    if parsed is None:
        return Exit.OK
    name, given = parsed
    function = VERBS[name].load()
    release()
    if is_stdout_closed and name in READING_VERBS:
        output.refuse_stdout()
    code = function(**given) if launch is None else function(launch, **given)
    return Exit.OK if code is None else code


def parse(arguments: list[str], verb: str | None) -> tuple[str, dict[str, Any]] | None:
    """Read a command line.

    Args:
        arguments: those after the program's name.
        verb: the one that they begin with, if any.

    Returns:
        The verb and the values of its parameters; None if typer has done everything: help, the version.

    Raises:
        UsageError: the command line is invalid.
    """
    if verb is not None:
        given = light_parser.parse(VERBS[verb].parameters, arguments[len(verb.split()) :])
        if given is not None:
            return verb, given
    from codex_server_cli.cli import typer_parser

    release()  # it may print pages, or ask the file system

    return typer_parser.parse(arguments, verb)


def _fail(error: CodexServerError, verb: str | None, arguments: list[str]) -> int:
    """Report a failure; as JSON if the verb would have printed that. Flags are searched in the words, because the line
    may not be parsable.
    """
    if isinstance(error, UsageError) and not error.hint:
        error.hint = f"Try: codex-server {verb} --help" if verb else "Try: codex-server --help"
    flags = arguments[: arguments.index("--")] if "--" in arguments else arguments
    asked = _JSON_FLAGS.intersection(word.partition("=")[0] for word in flags)
    output.show_error(error, as_json=verb in JSON_VERBS and output.wants_json(asked))
    return error.exit_code
