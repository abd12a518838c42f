"""The token or secret of an app-server on a TCP port: making its file, and refusing one that others can read or guess.

codex itself accepts a file of any mode, even with one character. Must never print a token, nor put it in an error.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import secrets
import stat
from pathlib import Path
from shlex import quote
from typing import NamedTuple

from codex_server_cli.codex.transport.bearer import can_be_bearer
from codex_server_cli.core.model.server.listen import ListenFlags, absolute
from codex_server_cli.errors import BadInputError, HomeError

LEAST_BYTES = 32
_MOST_BYTES = 64 * 1024
_NEW = "A new one: codex-server server token FILE"


class NewToken(NamedTuple):
    """A new token.

    Attributes:
        path: its file, absolute.
        sha256: its digest, for `--ws-token-sha256` on a machine that need not have the token.
    """

    path: Path
    sha256: str


def make_token(path: Path) -> NewToken:
    """Make a file with a new random token, of mode 0600. Never overwrites.

    Args:
        path: absolute.

    Raises:
        BadInputError: the path exists.
        HomeError: it cannot be written; no file is left.
    """
    token = base64.urlsafe_b64encode(secrets.token_bytes(LEAST_BYTES)).rstrip(b"=")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(path, flags, 0o600)
    except FileExistsError as error:
        hint = "Take another name, or remove that first: a server may still use it."
        raise BadInputError(f"{path} exists, and is not overwritten", hint=hint) from error
    except OSError as error:
        raise HomeError(f"cannot make {path}: {error.strerror}", hint="Name a file in a directory of yours.") from error
    try:
        try:
            os.fchmod(fd, 0o600)  # whatever the umask
            with open(fd, "wb", closefd=False) as file:
                file.write(token + b"\n")
            os.fsync(fd)
        finally:
            os.close(fd)
    except BaseException as error:
        with contextlib.suppress(OSError):
            path.unlink()
        if isinstance(error, OSError):
            raise HomeError(f"cannot write {path}: {error.strerror}", hint="Free some space.") from error
        raise
    return NewToken(path, hashlib.sha256(token).hexdigest())


def check_listen_files(flags: ListenFlags, cwd: str) -> None:
    """Check the token or secret file with which a server is to be started.

    Args:
        cwd: the base of a relative path.

    Raises:
        BadInputError: it cannot be used, or others could read or guess its content.
    """
    if flags.ws_token_file is not None:
        check_token_file(Path(absolute(flags.ws_token_file, cwd)), is_sent=True)
    if flags.ws_shared_secret_file is not None:
        check_token_file(Path(absolute(flags.ws_shared_secret_file, cwd)), is_sent=False)


def check_token_file(path: Path, *, is_sent: bool) -> str:
    """Check one file; a link is followed, because secrets are often mounted as links.

    Args:
        is_sent: whether clients send the text itself, in a header, which allows only some characters.

    Raises:
        BadInputError: as `check_listen_files`.
    """
    text = _read_private(path).strip()
    if len(text.encode()) < LEAST_BYTES:
        message = f"{path} holds {len(text.encode())} bytes, and a token needs {LEAST_BYTES} random ones at least"
        raise BadInputError(message, hint=_NEW)
    if is_sent and not can_be_bearer(text):
        raise BadInputError(f"{path} does not hold one line of plain ASCII, as a token has to", hint=_NEW)
    return text


def _read_private(path: Path) -> str:
    """The text of a file that this user owns and no other user can read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise BadInputError(f"there is no file {path}", hint=_NEW) from error
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}", hint=_NEW) from error
    try:
        _check_owner(path, os.fstat(fd))
        with open(fd, "rb", closefd=False) as file:
            data = file.read(_MOST_BYTES + 1)
    finally:
        os.close(fd)
    try:
        if len(data) <= _MOST_BYTES:
            return data.decode()
    except UnicodeDecodeError:
        pass
    raise BadInputError(f"{path} is no token file: it is longer than {_MOST_BYTES} bytes, or no text", hint=_NEW)


def _check_owner(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise BadInputError(f"{path} is not a regular file", hint=_NEW)
    if found.st_uid != os.geteuid():
        raise BadInputError(f"{path} belongs to another user, who knows what is in it", hint=_NEW)
    if found.st_mode & 0o077:
        message = f"others can read or change {path} (mode {stat.S_IMODE(found.st_mode):04o})"
        new = "Where others may have read it already: codex-server server token FILE makes a new one."
        hint = f"chmod 600 {quote(str(path))}. {new}"
        raise BadInputError(message, hint=hint)
