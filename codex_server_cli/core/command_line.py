"""A command that the user wrote in one text, like `--notify "tell.sh --loud"`. Owns how it is split; never runs it."""

from __future__ import annotations

import shlex

from codex_server_cli.errors import BadInputError


def split_command(text: str, source: str) -> list[str]:
    """The words of a command, split as a POSIX shell splits them. Nothing else of a shell happens to it.

    Args:
        source: where it stands, as a user knows it: `--notify`, or a key of `config.json`.

    Raises:
        BadInputError: it has no words, or quotes that do not match, or what no argument can hold.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadInputError(f"{source} cannot be read: {error}", hint=f"Mend {source}.") from error
    if not words or not words[0] or "\0" in text:
        raise BadInputError(f"{source} is no command: {text!r}", hint="Give a program and its arguments.")
    return words
