"""The table of verbs: what each takes, and where its function is. Owns the text of `--help`, with `tables`.

Both parsers of the command line read it. Must never import a verb's own module: only the one that is run is loaded.
"""

from __future__ import annotations

from typing import Final

from codex_server_cli.cli.tables import control, read, start, system
from codex_server_cli.cli.verb import Verb

VERBS: Final[dict[str, Verb]] = start.VERBS | read.VERBS | control.VERBS | system.VERBS
"""By name, in the order of `--help`."""

JSON_VERBS: Final = frozenset(
    {"new", "continue", "review", "status", "cancel", "recover", "apply", "approve", "decline", "reply", "steer"}
)
"""Verbs that print exactly one JSON object on stdout, also when they fail."""
