"""Does this codex answer? Owns the shortest conversation: `initialize`, its reply, the end. For setup and doctor."""

from __future__ import annotations

from pathlib import Path

from codex_server_cli import __version__
from codex_server_cli.core.inquiry import initialize
from codex_server_cli.proc.conversation import no_answer, run_query

TIMEOUT_S = 20.0


def read_user_agent(codex: Path, cwd: Path) -> str:
    """Start an app-server, shake hands, and end it. On a fresh `CODEX_HOME` that also makes Codex's databases.

    Returns:
        Its user agent.

    Raises:
        CodexMissingError: it does not start or does not answer; the message holds its last words.
    """
    user_agent = run_query(codex, cwd, initialize(__version__), TIMEOUT_S)
    if user_agent is None:
        raise no_answer()
    return user_agent
