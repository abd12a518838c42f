"""The JSON of our app-servers and their tokens: a versioned contract (README, "JSON"). Owns its keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codex_server_cli.core.documents.turn import VERSION
from codex_server_cli.core.model.server.report import ServerReport


def servers_document(reports: Sequence[ServerReport], **more: object) -> dict[str, Any]:
    """All of them.

    Args:
        more: further facts about what was done to them.
    """
    return {"version": VERSION, **more, "servers": [server_row(report) for report in reports]}


def server_row(report: ServerReport) -> dict[str, Any]:
    """One generation."""
    return {
        "state": str(report.state),
        "key": report.key,
        "generation": report.generation,
        "url": report.url,
        "pid": report.pid,
        "keeper_pid": report.keeper_pid,
        "codex": report.codex,
        "codex_version": report.codex_version or None,
        "codex_home": report.codex_home,
        "of_this_environment": report.is_of_this_environment,
        "started_at": report.started_at,
        "uptime_s": report.uptime_s,
        "memory_bytes": report.memory_bytes,
        "threads": report.threads,
        "active_turns": report.active_turns,
        "clients": report.clients,
        "turns": list(report.turns),
        "leftovers": [left._asdict() for left in report.leftovers],
        "log_path": report.log_path,
        "healthy": report.is_healthy,
        "problem": report.problem,
    }


def token_document(path: str, sha256: str) -> dict[str, Any]:
    """A new token's file, and the digest of the token; never the token itself."""
    return {"version": VERSION, "path": path, "sha256": sha256}
