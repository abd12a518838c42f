"""A command that the user wrote as one string, like `--notify "tell.sh --loud"`. Owns how it is split; never runs it.

It does not run in a shell. So shell syntax is refused, and the hint is the command that uses a shell: a `>` would only
become an argument of `echo`. A pattern is a valid argument; it is only reported, because a shell would have expanded
it. In a URL only characters that would end the word in a shell count as shell syntax.
"""

from __future__ import annotations

import re
import shlex

from codex_server_cli.errors import BadInputError

_TOKEN = re.compile(
    r"""
      \\.                                     # quoted by a backslash
    | '[^']*'                                 # single-quoted
    | "(?P<inside>(?:\\.|[^"\\])*)"
    | [A-Za-z][\w+.-]*://(?:[^\s;&|<>()`$'"\\]|&(?=[\w%]))*     # a URL with its query
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
    """Split a command into words as a POSIX shell does, without expansions or redirections.

    Args:
        source: where it was set, as a user knows it: `--notify`, or a key of `config.json`.

    Raises:
        BadInputError: it names no program, has unmatched quotes, or contains NUL.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadInputError(f"{source} cannot be read: {error}", hint=f"Fix {source}.") from error
    if not words or not words[0] or "\0" in text:
        raise BadInputError(f"{source} is no command: {text!r}", hint="Give a program and its arguments.")
    return words


def shell_syntax_in(text: str) -> str | None:
    """The first unquoted shell syntax in a command; None without any.

    Code for an interpreter, `sh -c "…"`, may contain such syntax in double quotes. A `~/` that begins the program's own
    path is supported.
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
    """The first unquoted text that a shell would expand or drop, though a program may accept it; None without any."""
    return next(
        (token["pattern"] for token in _TOKEN.finditer(text.strip().removeprefix(_HOME)) if token["pattern"]), None
    )


def with_shell(text: str) -> str:
    """The command that runs this text in a shell."""
    return shlex.join(["sh", "-c", text.strip()])


def quoted(text: str) -> str:
    """A text quoted as one shell word, in double quotes where that reads better."""
    return f'"{text}"' if "'" in text and not re.search(r'["$`\\!]', text) else shlex.quote(text)
