"""A command that the user wrote in one text, like `--notify "tell.sh --loud"`. Owns how it is split; never runs it.

No shell reads it. So what only a shell would understand is refused, with the command that has one: a `>` that becomes a
word of `echo` tells nobody anything. A pattern is a word like any other to a program; it is only spoken of, for a shell
would have expanded it. In a URL nothing is meant for a shell but what would end the word there.
"""

from __future__ import annotations

import re
import shlex

from codex_server_cli.errors import BadInputError

_TOKEN = re.compile(
    r"""
      \\.                                     # quoted by a backslash
    | '[^']*'                                 # … or so
    | "(?P<inside>(?:\\.|[^"\\])*)"
    | [A-Za-z][\w+.-]*://(?:[^\s;&|<>()`$'"\\]|&(?=[\w%]))*     # a URL, its query with it
    | (?P<shell>
          [;&|<>()`\n]
        | \$(?:\w+|[{(*@\#?$!-])
      )
    | (?P<pattern> [*?[] | (?:(?<=\s)|^)[~\#] )
    | .
    """,
    re.DOTALL | re.VERBOSE,
)
_EXPANDED = re.compile(r"(?:\\.|[^\\`$])*(`|\$(?:\w+|[{(*@#?$!-]))", re.DOTALL)
_CODE_FLAG = re.compile(r"-[A-Za-z]*c")
_HOME = "~/"


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


def shell_syntax_in(text: str) -> str | None:
    """What only a shell would understand in a command, unquoted: the first of it; None without any.

    The code of an interpreter, `sh -c "…"`, may hold in double quotes what that one is to read. A `~/` that begins the
    program's own path is understood.
    """
    text = text.strip()
    text = text.removeprefix(_HOME)
    has_code = any(_CODE_FLAG.fullmatch(word) for word in shlex.split(text))
    for token in _TOKEN.finditer(text):
        expanded = _EXPANDED.match(token["inside"]) if token["inside"] and not has_code else None
        if found := token["shell"] or (expanded and expanded[1]):
            return str(found)
    return None


def pattern_in(text: str) -> str | None:
    """What a shell would expand or leave out, unquoted, though a program may mean it: the first of it; None without."""
    return next(
        (token["pattern"] for token in _TOKEN.finditer(text.strip().removeprefix(_HOME)) if token["pattern"]), None
    )


def with_shell(text: str) -> str:
    """The command that has a shell read this text."""
    return shlex.join(["sh", "-c", text.strip()])


def quoted(text: str) -> str:
    """A text as one word of a shell's, in double quotes where that reads better."""
    return f'"{text}"' if "'" in text and not re.search(r'["$`\\!]', text) else shlex.quote(text)
