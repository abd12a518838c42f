"""Lack of resources for a process. Owns how it is distinguished from a missing or broken program."""

from __future__ import annotations

import errno

from codex_server_cli.errors import BusyError, ErrorKind

NO_ROOM = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
"""Processes, memory, files of this process, files of the system: exhausted, or a limit reached."""


def is_without_room(error: BaseException) -> bool:
    """Whether this error means that resources are exhausted."""
    return isinstance(error, OSError) and error.errno in NO_ROOM


def no_room(what: str, error: OSError) -> BusyError:
    """The error for a process that could not start for lack of resources; `what` begins the message."""
    hint = "End something, or raise the limit (ulimit -n for files, ulimit -u for processes); then run this again."
    return BusyError(f"{what}: {error.strerror}", hint=hint, kind=ErrorKind.OVERLOADED)
