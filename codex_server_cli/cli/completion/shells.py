"""Answering a shell at TAB, in its own language. Owns the quoting: no shell may execute any part of an answer.

The scripts in the shells are in `scripts`. Typer, which could answer too, is slower, and zsh evaluates its answer
twice: a prompt with `$(` in it would be run. Must never write to stderr.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from codex_server_cli.cli import output
from codex_server_cli.cli.completion.line import Candidate, context_at, fitting
from codex_server_cli.cli.parameters import Offer
from codex_server_cli.errors import Exit
from codex_server_cli.settings.tab import TabRequest, read_request

_SPECIAL = re.compile(r"([^\w@%+=:,./~-])", re.ASCII)


class Findings(NamedTuple):
    """What can follow: these words; or else what the shell itself can find, files or directories."""

    words: Sequence[Candidate]
    offers: Offer | None = None
    typed: str = ""
    prefix: str = ""


def answer() -> int:
    """Answer the request in the environment.

    Returns:
        The exit code; 1 for an unknown shell, and if fish should offer files.
    """
    request = read_request()
    if request is None:
        return 1
    found = _find(request)
    if request.is_question:  # fish: 1 lets it offer files
        return 1 if found.offers is Offer.FILES else Exit.OK
    output.show(_ANSWERS[request.shell](found))
    return Exit.OK


def _find(request: TabRequest) -> Findings:
    here = context_at(request.before, request.typed)
    if here.offers in (Offer.FILES, Offer.DIRECTORIES):
        return Findings((), here.offers, here.typed, here.prefix)
    if here.offers is None:
        return Findings(fitting(here))
    from codex_server_cli.cli.completion.values import looked_up  # half of the time if no turns are needed

    return Findings(fitting(here, looked_up(here)))


def directories(typed: str) -> list[str]:
    """The directories whose path begins like this, with a trailing slash; hidden ones only if a dot is typed.

    Args:
        typed: a path, which may begin with `~`.
    """
    head, tail = os.path.split(typed)
    start = head + "/" * (bool(head) and not head.endswith("/"))
    found = []
    # RuntimeError: no user has the name after the `~`
    with suppress(OSError, RuntimeError), os.scandir(Path(head or ".").expanduser()) as entries:
        found = [entry.name for entry in entries if entry.name.startswith(tail) and entry.is_dir()]
    return sorted(
        f"{start}{name}/" for name in found if name.isprintable() and (tail.startswith(".") or not name.startswith("."))
    )


def _for_bash(found: Findings) -> str:
    """One word per line; no output if bash should offer files, an empty line if it should offer nothing."""
    if found.offers is Offer.FILES:
        return ""
    words = [each.word for each in found.words]
    if found.offers is Offer.DIRECTORIES:
        words = directories(found.typed)
        if len(words) == 1:  # with its content, so that bash adds no blank after it
            words += directories(words[0])
    return "\n".join(_SPECIAL.sub(r"\\\1", word) for word in words) + "\n"


def _for_zsh(found: Findings) -> str:
    """Code for `eval`."""
    before = "compset -P '*='; " if found.prefix else ""
    if found.offers is not None:
        return f"{before}{'_path_files -/' if found.offers is Offer.DIRECTORIES else '_files'}\n"
    if not found.words:
        return "_message 'no completion'\n"
    entries = " ".join(_zsh_quoted(each) for each in found.words)
    return f"local -a found; found=({entries}); _describe -V codex-server found\n"


def _zsh_quoted(candidate: Candidate) -> str:
    word, what = (text.replace("\\", "\\\\") for text in candidate)
    text = word.replace(":", "\\:") + (f":{what}" if what else "")
    return "'" + text.replace("'", "'\\''") + "'"


def _for_fish(found: Findings) -> str:
    """One word per line, and its description after a tab."""
    words = [Candidate(f"{found.prefix}{each}") for each in directories(found.typed)]
    shown = words if found.offers is Offer.DIRECTORIES else found.words
    return "".join(f"{word}\t{what}\n" if what else f"{word}\n" for word, what in shown)


_ANSWERS: Final[dict[str, Callable[[Findings], str]]] = {"bash": _for_bash, "zsh": _for_zsh, "fish": _for_fish}
