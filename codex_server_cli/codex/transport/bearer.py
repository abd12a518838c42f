"""The bearer token of an app-server, from a file or variable. Owns what is a valid token; must never show one."""

from __future__ import annotations

import os
import stat

from codex_server_cli.codex.transport.handshake import shown
from codex_server_cli.errors import BadInputError
from codex_server_cli.settings.environment import variable

_MOST_BYTES = 64 * 1024
_HINT = "The file holds the token alone, on one line."


def read_token(token_file: str | None, token_env: str | None) -> str | None:
    """The token, stripped; None where neither a file nor a variable is named.

    Raises:
        BadInputError: both are named, or the named one holds no valid token.
    """
    if token_file is not None and token_env is not None:
        raise BadInputError("both a file and a variable are named for the token", hint="Give one of the two.")
    if token_file is not None:
        return _checked(_text_of(token_file), f"the token file {shown(token_file)}", _HINT)
    if token_env is None:
        return None
    value = variable(token_env)
    if value is None:
        raise BadInputError(
            "the variable that is to hold the token is not set",  # what was given may be the token itself
            hint="--server-token-env takes the name of a variable, not the token; and it must be exported.",
        )
    return _checked(value, f"the variable {token_env}", "It holds the token alone.")


def can_be_bearer(text: str) -> bool:
    """Whether a text can be sent in a request header: plain ASCII without blanks."""
    return text.isascii() and text.isprintable() and " " not in text


def _text_of(path: str) -> str:
    try:
        # Opening a FIFO must not block: the type is checked after the open.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise BadInputError(f"the token file {shown(path)} is no regular file", hint=_HINT)
            return os.read(fd, _MOST_BYTES).decode("utf-8", "replace")
        finally:
            os.close(fd)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise BadInputError(
            f"the token file {shown(path)} cannot be read: {reason}", hint="See its path and its mode."
        ) from error


def _checked(text: str, what: str, hint: str) -> str:
    token = text.strip()
    if not token:
        raise BadInputError(f"{what} is empty", hint=hint)
    if not can_be_bearer(token):
        raise BadInputError(f"{what} holds a blank, a second line or a special character", hint=hint)
    return token
