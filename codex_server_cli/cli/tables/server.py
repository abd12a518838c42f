"""The verbs about the shared app-server: what each takes."""

from __future__ import annotations

from typing import Final

from codex_server_cli.cli.verb import Verb

GROUPS: Final[dict[str, str]] = {}
"""The first word of these verbs, with its text in `--help`."""

VERBS: Final[dict[str, Verb]] = {}
