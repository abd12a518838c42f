"""The completion request of a shell (TAB), as our scripts, and typer's before them, pass it in the environment.

Owns that protocol, and the locations of shells' own files according to the environment.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import NamedTuple


class TabRequest(NamedTuple):
    """One request.

    Attributes:
        shell: `bash`, `zsh` or `fish`.
        before: the words between the program's name and the word at the cursor.
        typed: the word at the cursor, up to the cursor.
        is_question: fish only asks whether there are candidates; the exit code is the answer.
    """

    shell: str
    before: list[str]
    typed: str
    is_question: bool = False


class ShellFolders(NamedTuple):
    """Where shells look for their files.

    Attributes:
        home: the user's home directory.
        zsh: for `.zshrc`: `$ZDOTDIR`, else `home`.
        config: `$XDG_CONFIG_HOME` where that is absolute, else `~/.config`.
    """

    home: Path
    zsh: Path
    config: Path


def shell_folders(user_home: Path) -> ShellFolders:
    """The folders of this user's shells."""
    config = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    return ShellFolders(
        user_home,
        user_home / os.environ.get("ZDOTDIR", ""),
        config if config.is_absolute() else user_home / ".config",
    )


def read_request() -> TabRequest | None:
    """The request in the environment; None for an unknown one, of another shell for instance."""
    action, _, shell = os.environ.get("_CODEX_SERVER_COMPLETE", "").partition("_")
    if action != "complete" or shell not in ("bash", "zsh", "fish"):
        return None
    if shell == "bash":
        return _of_bash(os.environ.get("COMP_WORDS", ""), os.environ.get("COMP_CWORD", ""))
    line = os.environ.get("_TYPER_COMPLETE_ARGS", "")
    words = _split(line)[1:]
    typed = words.pop() if words and not line[-1].isspace() else ""
    return TabRequest(shell, words, typed, os.environ.get("_TYPER_COMPLETE_FISH_ACTION") == "is-args")


def _of_bash(line: str, cursor: str) -> TabRequest:
    """A request of bash, which passes all words, one on each line, and splits `--flag=value` into three."""
    words = _split(line)
    place = int(cursor) if cursor.isdecimal() else len(words)
    typed = words[place] if place < len(words) else ""
    before = [word for word in words[1:place] if word != "="]
    return TabRequest("bash", before, "" if typed == "=" else typed)


def _split(line: str) -> list[str]:
    """The words of a line as a shell splits them; the last one may have an open quote."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters = True, ""
    words: list[str] = []
    try:
        words += lexer
    except ValueError:
        words.append(lexer.token.lstrip("'\""))
    return words
