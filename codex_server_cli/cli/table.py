"""The table of verbs: their parameters, and where their functions are. Owns the text of `--help`, with `tables`.

Both parsers of the command line read it. Must never import a verb's own module: only the one that is run is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from codex_server_cli.cli.tables import control, read, remote, rpc, serve, server, start, system
from codex_server_cli.cli.verb import Verb

VERBS: Final[dict[str, Verb]] = (
    start.VERBS | read.VERBS | control.VERBS | system.VERBS | server.VERBS | remote.VERBS | rpc.VERBS | serve.VERBS
)
"""By name, in the order of `--help`. A name has one word, or two, of which the first is a group."""

GROUPS: Final[dict[str, str]] = server.GROUPS | remote.GROUPS
"""The first words of verbs of two words, each with its text in `--help`."""

JSON_VERBS: Final = frozenset(
    {"new", "continue", "review", "status", "cancel", "recover", "apply", "approve", "decline", "reply", "steer", "rpc"}
)
"""Verbs that print exactly one JSON object on stdout, also when they fail."""

READING_VERBS: Final = frozenset(
    {*(read.VERBS.keys() - {"tail", "wait", "status"}), "pending", "limits", "models", "usage", "version"}
    | {"server status", "server logs", "remote status", "remote clients"}
)
"""Verbs that only print: they fail if their output is lost. The others have an effect, or their exit code alone is an
answer, as for `tail --follow` or `doctor`."""


def verb_of(arguments: Sequence[str]) -> str | None:
    """The verb that a command line begins with; None if there is none."""
    words = arguments[:2] if arguments and arguments[0] in GROUPS else arguments[:1]
    name = " ".join(words)
    return name if name in VERBS else None
