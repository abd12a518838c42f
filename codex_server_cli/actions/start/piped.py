"""Reading stdin beside a prompt, or in place of one. Owns how much is read, and how long it may wait for input.

Must never print. Where it is not known whether more will come, it reads what is there, and the result says so.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from select import select
from typing import NamedTuple

from codex_server_cli.actions.start import stdin_pipe
from codex_server_cli.actions.start.stdin_pipe import Writer

_STDIN = 0
_PIECE = 1 << 16
_CALLER_S = 0.01
"""Timeout for the first byte from the process that started us: it had the longer time of our own start, too."""

_WRITER_TIMEOUT_S = 1.0
"""The same where there is no other prompt; and the longest pause between bytes."""

_SILENT_S = 3.0
"""After this time without a byte the user is told what we wait for."""

_LEFT = "stdin was not read, because it may never end; - reads it to its end"
_CUT = "stdin was still open and was read as far as it had arrived; - reads it to its end"
WAITS = "stdin is read to its end, which has not come yet; where nothing is to come, give </dev/null"
_SHARED = "stdin was not read, because part of that file was read before; - reads the rest"


class Piped(NamedTuple):
    """What was read, and a warning about the rest, if any."""

    data: bytes = b""
    warning: str | None = None


def read_all(max_bytes: int, tell: Callable[[str], None]) -> bytes:
    """Stdin to EOF, or at most `max_bytes + 1` bytes.

    Args:
        tell: called with a message for people if nothing arrives for a while.

    Raises:
        OSError: it cannot be read.
    """
    if not select([_STDIN], [], [], _SILENT_S)[0]:
        tell(WAITS)
    return _read(max_bytes, None, None)[0]


def read_beside(
    max_bytes: int, tell: Callable[[str], None], inputs: Iterable[str] = (), *, is_wanted: bool = False
) -> Piped:
    """The piped input of a command that was not asked to read stdin.

    A pipeline is read to EOF, and so is a file. If our caller holds the pipe open, it is read until the first pause. A
    terminal, a device, and a shell's source of commands are not read.

    Args:
        max_bytes: at most one byte more than this is read.
        tell: as of `read_all`.
        inputs: files that the command reads anyway; stdin may be one of them.
        is_wanted: whether there is no other prompt.
    """
    try:
        status = os.fstat(_STDIN)
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISFIFO(status.st_mode) or stat.S_ISSOCK(status.st_mode)):
            return Piped()
        above = stdin_pipe.ancestors()
        if stdin_pipe.holds_commands(above) or any(_is_same(status, path) for path in inputs):
            return Piped()
        if stat.S_ISREG(status.st_mode):
            is_shared = 0 < os.lseek(_STDIN, 0, os.SEEK_CUR) < status.st_size
            return Piped(warning=_SHARED) if is_shared else Piped(read_all(max_bytes, tell))
        first_byte_timeout_s = _WRITER_TIMEOUT_S if is_wanted else _CALLER_S
        if stat.S_ISSOCK(status.st_mode):
            return _read_some(max_bytes, first_byte_timeout_s, warning=None)
        return _read_pipe(max_bytes, tell, above, first_byte_timeout_s)
    except OSError:  # a descriptor that cannot be read: nothing was piped in
        return Piped()


def holds_something() -> bool:
    """Whether our stdin is a file, or a pipe with data. Reads nothing, and does not block."""
    import fcntl
    import termios

    try:
        status = os.fstat(_STDIN)
        if stat.S_ISREG(status.st_mode):
            has_come = os.lseek(_STDIN, 0, os.SEEK_CUR) == 0 < status.st_size
        else:
            is_pipe = stat.S_ISFIFO(status.st_mode)
            has_come = is_pipe and any(fcntl.ioctl(_STDIN, termios.FIONREAD, bytes(4)))
    except OSError:  # as of `read_beside`
        return False
    return has_come and not stdin_pipe.holds_commands(stdin_pipe.ancestors())


def _read_pipe(max_bytes: int, tell: Callable[[str], None], above: list[int], first_byte_timeout_s: float) -> Piped:
    if not select([_STDIN], [], [], 0)[0]:
        writer = stdin_pipe.writer_of_stdin(above)
        if writer is not Writer.SIBLING and not select([_STDIN], [], [], first_byte_timeout_s)[0]:
            writer = stdin_pipe.writer_of_stdin(above)  # a shell may have closed its end meanwhile
            if writer is not Writer.SIBLING:
                return Piped(warning=_LEFT if writer is Writer.UNKNOWN else None)
    data, is_whole = _read(max_bytes, 0, 0)
    if is_whole:
        return Piped(data)
    if stdin_pipe.writer_of_stdin(above) is Writer.SIBLING:
        return Piped(data + read_all(max_bytes - len(data), tell))
    rest = _read_some(max_bytes - len(data), _WRITER_TIMEOUT_S, warning=_CUT)
    return rest._replace(data=data + rest.data)


def _read_some(max_bytes: int, first_s: float, *, warning: str | None) -> Piped:
    """Read until the first pause.

    Args:
        first_s: timeout for the first byte.
        warning: returned if nothing came.
    """
    data, is_whole = _read(max_bytes, first_s, _WRITER_TIMEOUT_S)
    return Piped(data, None if is_whole else _CUT if data else warning)


def _read(max_bytes: int, first_s: float | None, pause_s: float | None) -> tuple[bytes, bool]:
    """Read until the end, a pause, or a byte more than `max_bytes`; the flag is False after a pause.

    Args:
        first_s, pause_s: timeout for the first byte, and for each further one; None for no timeout.
    """
    data = bytearray()
    while len(data) <= max_bytes:
        if not select([_STDIN], [], [], pause_s if data else first_s)[0]:
            return bytes(data), False
        try:
            piece = os.read(_STDIN, min(_PIECE, max_bytes + 1 - len(data)))
        except BlockingIOError:  # another reader was faster
            continue
        if not piece:
            break
        data += piece
    return bytes(data), True


def _is_same(status: os.stat_result, path: str) -> bool:
    try:
        return os.path.samestat(status, Path(path).stat())
    except OSError:  # does not exist: reported when it is read
        return False
