"""A process that the system has no room for. Owns how that is told apart from a program that is missing or broken."""

from __future__ import annotations

import errno

from codex_server_cli.errors import BusyError, ErrorKind

NO_ROOM = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
"""Processes, memory, files of this process, files of the system: used up, or more than a limit allows."""


def is_without_room(error: BaseException) -> bool:
    """Whether this is the system's word for no room."""
    return isinstance(error, OSError) and error.errno in NO_ROOM


def no_room(what: str, error: OSError) -> BusyError:
    """The error for a command whose process the system had no room for; `what` is the beginning of the sentence."""
    hint = "End something, or raise the limit (ulimit -n for files, ulimit -u for processes); then run this again."
    return BusyError(f"{what}: {error.strerror}", hint=hint, kind=ErrorKind.OVERLOADED)
