"""Where a prompt comes from: an argument, a file, stdin, or one of these with stdin after it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from codex_server_cli.cli import output
from codex_server_cli.core.inputs import MAX_BYTES, decode_prompt, joined
from codex_server_cli.errors import BadInputError, UsageError

STDIN = "-"


def read_prompt(given: Iterable[str | None], file: str | None = None, inputs: Iterable[str | None] = ()) -> str:
    """Read the prompt and append piped input after a blank line.

    Args:
        given: the arguments: a text, `-` for stdin, or both; None for one that is missing.
        file: read the text from this file instead; `-` is stdin, too.
        inputs: further files that the command reads; stdin may be one of them.

    Raises:
        UsageError: there is no prompt, or more than one.
        BadInputError: it cannot be read.
    """
    arguments = [each for each in (*given, file if file == STDIN else None) if each is not None]
    texts = [each for each in arguments if each != STDIN]
    if len(texts) > 1:
        hint = "Quote the prompt, so that your shell hands it over as one word."
        raise UsageError(f"Got unexpected extra argument ({texts[1]})", hint=hint)
    path = file if file != STDIN else None
    if texts and path is not None:
        raise UsageError("Give either a prompt or --file, not both", hint="What is piped in comes behind either.")
    text = texts[0] if texts else _read_file(path) if path is not None else None
    if STDIN in arguments:
        return joined(text, _read_stdin())
    piped = _read_piped([each for each in (path, *inputs) if each], is_wanted=text is None)
    if text is None and not piped:
        hint = "As an argument, as --file FILE, or piped in. After --, it may begin with -."
        raise UsageError("a prompt is missing", hint=hint)
    return joined(text, piped)


def warn_of_unread_stdin(reason: str) -> None:
    """Warn if something is piped into a command that does not read it."""
    from codex_server_cli.actions.start.piped import holds_something

    if holds_something():
        _warn(f"stdin was not read: {reason}")


def _read_file(path: str) -> str:
    try:
        with Path(path).open("rb") as opened:
            return _decoded(opened.read(MAX_BYTES + 1), "the prompt")
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}", hint="Check --file.") from error


def _read_stdin() -> str:
    from codex_server_cli.actions.start.piped import read_all

    try:
        return _decoded(read_all(MAX_BYTES, _warn), "the prompt")
    except OSError as error:
        raise BadInputError(f"cannot read stdin: {error.strerror}", hint="What does it come from?") from error


def _read_piped(inputs: list[str], *, is_wanted: bool) -> str:
    if os.isatty(0):
        return ""
    from codex_server_cli.actions.start.piped import read_beside

    piped = read_beside(MAX_BYTES, _warn, inputs, is_wanted=is_wanted)
    if piped.warning is not None:
        _warn(piped.warning)
    return _decoded(piped.data, "what was piped in")


def _warn(message: str) -> None:
    output.note(f"codex-server: {message}")


def _decoded(data: bytes, what: str) -> str:
    try:
        return decode_prompt(data)
    except UnicodeDecodeError as error:
        hint = "Convert it to UTF-8 first." if what == "the prompt" else "Convert it to UTF-8, or give </dev/null."
        raise BadInputError(f"{what} is not valid UTF-8: {error}", hint=hint) from error
