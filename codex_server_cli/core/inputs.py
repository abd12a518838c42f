"""Prompt validation: the checks that a prompt must pass before it is used."""

from __future__ import annotations

from codex_server_cli.errors import BadInputError

_TOO_LONG_HINT = "Put the long part into a file and let Codex read it."
MAX_CHARS = 1_048_576
"""Codex's own limit for the text of one turn (protocol notes, section 1)."""

MAX_BYTES = 4 * MAX_CHARS
"""More bytes than this cannot be few enough characters."""

_INVISIBLE_LETTERS = "\u115f\u1160\u3164\uffa0\u2800"
"""Fillers that Unicode classes as letters or symbols, but that render blank."""


def is_blank(text: str) -> bool:
    """Whether nothing is visible: no text, blanks, control characters, byte order marks, zero-width characters."""
    return not any(_is_visible(char) for char in text)


def _is_visible(char: str) -> bool:
    if char.isascii():
        return char > " " and char != "\x7f"
    if char.isalnum():
        return char not in _INVISIBLE_LETTERS
    from unicodedata import category  # only for what is neither letter nor digit

    kind = category(char)
    return kind[0] not in "MZ" and kind not in ("Cc", "Cf") and char not in _INVISIBLE_LETTERS


def joined(prompt: str | None, piped: str) -> str:
    """The prompt and the piped input, separated by a blank line; either alone where the other is missing.

    A prompt that was given but is blank stays blank: it may be an unset variable of a script.
    """
    if prompt is None:
        return piped
    return prompt if is_blank(prompt) or is_blank(piped) else prompt.rstrip("\n") + "\n\n" + piped


def decode_prompt(data: bytes) -> str:
    """Decode a prompt from a file or pipe, of which at most `MAX_BYTES` + 1 bytes were read.

    Raises:
        BadInputError: it exceeds the limit (a device, the wrong file).
        UnicodeDecodeError: it is not UTF-8. A leading byte order mark is removed.
    """
    if len(data) > MAX_BYTES:
        raise BadInputError(f"the prompt has more than {MAX_CHARS} characters", hint=_TOO_LONG_HINT)
    return data.decode("utf-8-sig")


def check_prompt(text: str) -> str:
    """The prompt unchanged, if Codex can accept it.

    Raises:
        BadInputError: it is empty, too long, or contains what cannot be sent (NUL, lone surrogates).
    """
    if is_blank(text):
        raise BadInputError("the prompt is empty", hint="Give it as an argument, with --file, or with - on stdin.")
    if len(text) > MAX_CHARS:
        message = f"the prompt has {len(text)} characters; Codex takes {MAX_CHARS}"
        raise BadInputError(message, hint=_TOO_LONG_HINT)
    if "\0" in text:
        raise BadInputError("the prompt holds a NUL character", hint="Is it a binary file?")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadInputError("the prompt is not valid UTF-8", hint="Convert it to UTF-8 first.") from error
    return text
